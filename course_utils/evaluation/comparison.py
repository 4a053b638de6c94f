"""What several policies' runs say: paired differences, and a sentence that the numbers write."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils.core.checks import check_choice, check_fraction
from course_utils.data.dataset import Splits, choose_balanced
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.runs import PolicyRuns, is_right
from course_utils.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    minimum_detectable_effect,
    t_interval,
)
from course_utils.training.heads import Heads, measure_losses

MEASURES = {"accuracy": 1, "loss": -1}  # and which sign of a difference is the better one
MARGINS = {"accuracy": 0.01, "loss": 0.01}  # what makes no practical difference


class Comparison:
    """The runs of several policies, and what can be said of them.

    The valid photos are halved by seed: on *select* one chooses a policy or an epoch, on
    *sealed* one judges the choice, since what was chosen on photos looks too good on them.

    Args:
        finished: The runs of each policy, by name.
        splits: The photos they were trained and measured on.
        baseline: The policy that the others are compared with.
        seed: Of the halves.

    Attributes:
        runs: A DataFrame, one row for each policy, seed and epoch (from 1). Losses and binary
            accuracies at the end of the epoch: `clean_…` and `augmented_…` on train photos,
            `val_…`, `select_…` and `sealed_…` on clean valid photos; `gap` = `val_loss` -
            `clean_loss`; `dead_head`.
    """

    def __init__(
        self, finished: Mapping[str, PolicyRuns], splits: Splits, *, baseline: str, seed: int
    ):
        self.baseline = baseline
        self._runs = dict(finished)
        self._labels = splits.valid.labels
        self._duplicates = group_near_duplicates(splits.valid)
        half = choose_balanced(self._labels, (len(self._labels) + 1) // 2, seed=seed)
        chosen = np.zeros(len(self._labels), bool)
        chosen[half] = True
        # Photos of one scene go to one half: what was chosen on a near-duplicate is not sealed.
        _, first = np.unique(self._duplicates, return_index=True)
        chosen = chosen[first][np.unique(self._duplicates, return_inverse=True)[1]]
        self._parts = {"val": slice(None), "select": chosen, "sealed": ~chosen}
        self.runs = pd.concat(
            [self._table(name, runs) for name, runs in finished.items()], ignore_index=True
        )

    @property
    def policies(self) -> list[str]:
        """The policies' names, the baseline first and its second training last."""
        return list(self._runs)

    def probabilities(self, policy: str) -> np.ndarray:
        """Returns a policy's probability of class 1, shape (epochs, seeds, valid photos)."""
        return self._find(policy).probabilities

    def heads(self, policy: str) -> Heads:
        """Returns a policy's heads as they were after the last epoch, one for each seed.

        Ask them about other photos with `Heads.answer`.

        Raises:
            ValueError: If there is no such policy.
        """
        return Heads(self._find(policy).weights)

    def summary(self, *, living: bool = False) -> pd.DataFrame:
        """Returns what each policy gave at the end: means over seeds, and the interval's half.

        Args:
            living: Whether only runs whose head lives count. All of them is the honest first
                reading: a policy that kills heads is to pay for it.

        Returns:
            A DataFrame, one row for each policy: for `clean_loss`, `augmented_loss`, `val_loss`,
            `val_binary_accuracy` and `gap` after the last epoch the mean and `… ±`, half of the
            95 % interval over seeds; `lowest_val_loss`, the mean over seeds of the lowest;
            `best_epoch`, the median of the epoch with the lowest loss on *select*; and the share
            of `dead_heads`.
        """
        rows = {}
        for policy, runs in self.runs.groupby("policy", sort=False):
            by_seed = runs.groupby("seed")
            last = by_seed.last()
            kept = ~last["dead_head"] if living else last["dead_head"].notna()
            row = {}
            for name in ("clean_loss", "augmented_loss", "val_loss", "val_binary_accuracy", "gap"):
                values = last.loc[kept, name].to_numpy()
                interval = t_interval(values) if len(values) > 1 else None
                row[name] = values.mean() if len(values) else np.nan
                row[f"{name} ±"] = interval.high - interval.mean if interval else np.nan
            row["lowest_val_loss"] = by_seed["val_loss"].min()[kept].mean()
            chosen = self._choose_epochs(policy)[kept.to_numpy()]
            row["best_epoch"] = np.median(chosen) if len(chosen) else np.nan
            row["dead_heads"] = last["dead_head"].mean()
            rows[policy] = row
        return pd.DataFrame(rows).T.rename_axis("policy")

    def differences(
        self,
        measure: str = "accuracy",
        *,
        photos: str = "val",
        epoch: str = "last",
        living: bool = False,
    ) -> pd.DataFrame:
        """Returns each policy minus the baseline, paired by seed, with two intervals.

        Args:
            measure: `"accuracy"` or `"loss"`.
            photos: `"val"`, `"select"` or `"sealed"`: which valid photos.
            epoch: `"last"`, or `"chosen"`: each run's epoch with the lowest loss on *select*.
            living: Whether only pairs count of which both heads live in the end.

        Returns:
            A DataFrame, one row for each policy: `difference`; `seeds_low` and `seeds_high`, the
            95 % Student-t interval for the same photos and another start; `photos_low` and
            `photos_high`, the 95 % bootstrap interval for other valid photos as well;
            `detectable`, the smallest true difference that these photos and seeds would have
            shown four times in five; `pairs`.

        Raises:
            ValueError: If a word is unknown.
        """
        check_choice("measure", measure, MEASURES)
        check_choice("photos", photos, self._parts)
        check_choice("epoch", epoch, ("last", "chosen"))
        part = self._parts[photos]
        rows = {}
        for policy in self.policies:
            if policy == self.baseline:
                continue
            per_photo = self._measure(policy, measure, epoch) - self._measure(
                self.baseline, measure, epoch
            )
            if living:
                alive = [~self._find(name).dead[-1] for name in (policy, self.baseline)]
                per_photo = per_photo[np.logical_and(*alive)]
            per_photo = per_photo[:, part]
            rows[policy] = _describe_difference(per_photo, self._duplicates[part])
        columns = ["difference", "seeds_low", "seeds_high", "photos_low", "photos_high"]
        columns += ["detectable", "pairs"]
        return pd.DataFrame(rows, index=columns).T.rename_axis("policy").astype({"pairs": int})

    def verdict(self, measure: str = "accuracy", *, margin: float | None = None) -> str:
        """Returns a sentence for each policy, written by the numbers.

        Sealed valid photos after the last epoch decide, and the interval that covers other
        photos as well. A policy is better or worse where that excludes zero, practically the
        same where it lies within the margin, and otherwise nobody can tell.

        Args:
            measure: `"accuracy"` or `"loss"`.
            margin: What makes no practical difference, from 0; 0.01 where it is `None`.

        Raises:
            ValueError: If the measure is unknown or the margin out of its range.
        """
        check_choice("measure", measure, MEASURES)
        margin = MARGINS[measure] if margin is None else check_fraction("margin", margin)
        every = self.differences(measure, photos="sealed")
        living = self.differences(measure, photos="sealed", living=True)
        return "\n".join(
            self._judge(policy, measure, margin, row, living.loc[policy])
            for policy, row in every.iterrows()
        )

    def _judge(self, policy: str, measure: str, margin: float, row, living) -> str:
        word = _call(row, measure, margin)
        said = (
            f"{policy}: {word} than {self.baseline}"
            if word in ("better", "worse")
            else f"{policy}: {word}"
        )
        said += (
            f". Difference in {measure} {_write(row.difference)} "
            f"[{_write(row.photos_low)}, {_write(row.photos_high)}] over photos and seeds, "
            f"[{_write(row.seeds_low)}, {_write(row.seeds_high)}] over seeds alone"
        )
        if word == "can't tell":
            said += f"; these photos and seeds show {row.detectable:.3f} or more"
        dead = [self._find(name).dead[-1].mean() for name in (self.baseline, policy)]
        if any(dead):
            said += f". Dead heads: {dead[0]:.0%} and {dead[1]:.0%}"
            other = _call(living, measure, margin) if living.pairs > 1 else "can't tell"
            said += (
                f"; living pairs alone ({living.pairs:.0f}) say the same"
                if other == word
                else f"; living pairs alone ({living.pairs:.0f}) disagree: {other}, "
                f"{_write(living.difference)} [{_write(living.photos_low)}, "
                f"{_write(living.photos_high)}]"
            )
        return said + "."

    def _find(self, policy: str) -> PolicyRuns:
        return self._runs[check_choice("policy", policy, self._runs)]

    def _choose_epochs(self, policy: str) -> np.ndarray:
        """Returns each seed's epoch, from 1, with the lowest loss on the select half."""
        part = self._parts["select"]
        losses = [
            measure_losses(probabilities.T[part], self._labels[part]).mean(axis=0)
            for probabilities in self._find(policy).probabilities
        ]
        return np.argmin(losses, axis=0) + 1

    def _measure(self, policy: str, measure: str, epoch: str) -> np.ndarray:
        """Returns each run's loss or rightness photo by photo, shape (seeds, valid photos)."""
        probabilities = self._find(policy).probabilities
        if epoch == "last":
            chosen = probabilities[-1]
        else:
            seeds = np.arange(probabilities.shape[1])
            chosen = probabilities[self._choose_epochs(policy) - 1, seeds]
        measured = is_right if measure == "accuracy" else measure_losses
        return measured(chosen.T, self._labels).T.astype(float)

    def _table(self, policy: str, runs: PolicyRuns) -> pd.DataFrame:
        epochs, seeds = runs.dead.shape
        columns = {
            "policy": policy,
            "seed": np.tile(np.arange(seeds), epochs),
            "epoch": np.repeat(np.arange(1, epochs + 1), seeds),
        }
        names = ("clean_loss", "clean_binary_accuracy")
        names += ("augmented_loss", "augmented_binary_accuracy")
        columns |= {
            name: values.ravel()
            for name, values in zip(names, runs.train.astype(float), strict=True)
        }
        for name, part in self._parts.items():
            labels = self._labels[part]
            by_epoch = [probabilities.T[part] for probabilities in runs.probabilities]
            losses = [measure_losses(each, labels).mean(axis=0) for each in by_epoch]
            shares = [is_right(each, labels).mean(axis=0) for each in by_epoch]
            columns[f"{name}_loss"] = np.ravel(losses)
            columns[f"{name}_binary_accuracy"] = np.ravel(shares)
        table = pd.DataFrame(columns)
        table["gap"] = table["val_loss"] - table["clean_loss"]
        table["dead_head"] = runs.dead.ravel()
        return table.sort_values(["seed", "epoch"], ignore_index=True)


def _describe_difference(per_photo: np.ndarray, duplicates: np.ndarray) -> list[float]:
    pairs = len(per_photo)
    if pairs < 2:
        difference = per_photo.mean() if pairs else np.nan
        return [difference, *[np.nan] * 5, pairs]
    over_seeds = t_interval(per_photo.mean(axis=1))
    over_photos = bootstrap_interval(per_photo, duplicates)
    return [
        *over_seeds,
        over_photos.low,
        over_photos.high,
        minimum_detectable_effect(over_photos),
        pairs,
    ]


def _call(row, measure: str, margin: float) -> str:
    interval = Interval(row.difference, row.photos_low, row.photos_high)
    if interval.excludes_zero:
        return "better" if interval.mean * MEASURES[measure] > 0 else "worse"
    if -margin < interval.low and interval.high < margin:
        return f"practically the same (within ±{margin:g})"
    return "can't tell"


def _write(number: float) -> str:
    return f"{number:+.3f}"
