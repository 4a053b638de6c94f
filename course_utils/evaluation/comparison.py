"""What several policies' runs say: paired differences, and a sentence that the numbers write.

Longer than 350 lines because the table, the differences and the verdict read the same runs, each
choice explained.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils.core.checks import check_choice, check_fraction
from course_utils.data.dataset import Splits, choose_balanced
from course_utils.data.duplicates import group_near_duplicates
from course_utils.evaluation.runs import PolicyRuns, is_right
from course_utils.evaluation.statistics import (
    LEAST_PHOTOS,
    LEAST_SEEDS,
    Estimate,
    correct_by_holm,
    estimate_difference,
    t_interval,
)
from course_utils.training.heads import Heads, measure_losses

# Which sign of a difference is the better one. A smaller gap is no goal, so it is only smaller.
MEASURES = {"accuracy": 1, "loss": -1, "gap": 0}
MARGINS = {"accuracy": 0.01, "loss": 0.01, "gap": 0.01}  # what makes no practical difference
LEVEL = 0.05  # of the tests
PHOTOS = {
    "val": "all {:,} validation photos",
    "selection": "the {:,} validation photos of the selection half",
    "held_out": "the {:,} validation photos of the held-out half",
}


class Comparison:
    """The runs of several policies, and what can be said of them.

    Where nothing is chosen, all validation photos count. Where an epoch or a policy is chosen,
    choose on the selection half of them and judge on the held-out half: what was chosen on photos
    looks too good on the same photos. The halves are sampled with the seed.

    Args:
        finished: The runs of each policy, by name, the same seeds in each.
        splits: The photos they were trained and measured on.
        baseline: The policy that the others are compared with.
        seed: Of the halves.

    Attributes:
        runs: A DataFrame with a row for each policy, seed and epoch (from 1). Losses and binary
            accuracies at the end of the epoch: `clean_…` and `augmented_…` on training photos,
            `val_…`, `selection_…` and `held_out_…` on clean validation photos; `accuracy_<class>`
            on the validation photos of one class; `gap` = `val_loss` - `clean_loss`; `dead_head`.
    """

    def __init__(
        self, finished: Mapping[str, PolicyRuns], splits: Splits, *, baseline: str, seed: int
    ):
        self.baseline = baseline
        self.class_names = splits.class_names
        self._runs = dict(finished)
        self._labels = splits.valid.labels
        self._duplicates = group_near_duplicates(splits.valid)
        half = choose_balanced(self._labels, (len(self._labels) + 1) // 2, seed=seed)
        chosen = np.zeros(len(self._labels), bool)
        chosen[half] = True
        # Photos of one scene go to one half: a near-duplicate of a chosen photo is not held out.
        _, first = np.unique(self._duplicates, return_index=True)
        chosen = chosen[first][np.unique(self._duplicates, return_inverse=True)[1]]
        self._parts = {
            "val": np.ones(len(chosen), bool),
            "selection": chosen,
            "held_out": ~chosen,
        }
        self.runs = pd.concat(
            [self._table(name, runs) for name, runs in finished.items()], ignore_index=True
        )

    @property
    def policies(self) -> list[str]:
        """The policies' names, the baseline first and its second training last."""
        return list(self._runs)

    def probabilities(self, policy: str) -> np.ndarray:
        """Returns a policy's probabilities of class 1, shape (epochs, seeds, validation photos)."""
        return self._find(policy).probabilities

    def heads(self, policy: str) -> Heads:
        """Returns a policy's heads as they were after the last epoch, one for each seed.

        Ask them about other photos with `Heads.predict`.

        Raises:
            ValueError: If there is no such policy.
        """
        runs = self._find(policy)
        return Heads(runs.weights, head=runs.head)

    def summary(self, *, exclude_dead: bool = False) -> pd.DataFrame:
        """Returns what each policy gave at the end: means over seeds, and the interval's half.

        Args:
            exclude_dead: Whether to leave out runs whose head died. With them is the honest
                first reading: a policy that kills heads has to pay for it.

        Returns:
            A DataFrame with a row for each policy: for `clean_loss`, `augmented_loss`, `val_loss`,
            `val_binary_accuracy` and `gap` after the last epoch the mean and `… ±`, half of the
            95% interval over seeds; `accuracy_<class>`, the accuracy on the photos of each class;
            `lowest_val_loss`, the mean over seeds of the lowest; `best_epoch`, the median of the
            epoch with the lowest loss on the selection half; and the fraction of `dead_heads`.
            All validation photos count.
        """
        rows = {}
        by_class = [f"accuracy_{name}" for name in self.class_names]
        for policy, runs in self.runs.groupby("policy", sort=False):
            by_seed = runs.groupby("seed")
            last = by_seed.last()
            kept = ~last["dead_head"] if exclude_dead else last["dead_head"].notna()
            row = {}
            for name in ("clean_loss", "augmented_loss", "val_loss", "val_binary_accuracy", "gap"):
                values = last.loc[kept, name].to_numpy()
                interval = t_interval(values) if len(values) > 1 else None
                row[name] = values.mean() if len(values) else np.nan
                row[f"{name} ±"] = interval.high - interval.mean if interval else np.nan
            row |= last.loc[kept, by_class].mean().to_dict()
            row["lowest_val_loss"] = by_seed["val_loss"].min()[kept].mean()
            # Runs are in the order of their seeds here, and in the order of training there.
            chosen = pd.Series(self._choose_epochs(policy), self._find(policy).seeds)
            chosen = chosen.sort_index()[kept.to_numpy()]
            row["best_epoch"] = np.median(chosen) if len(chosen) else np.nan
            row["dead_heads"] = last["dead_head"].mean()
            rows[policy] = row
        return pd.DataFrame(rows).T.rename_axis("policy")

    def differences(
        self,
        measure: str = "accuracy",
        *,
        photos: str | None = None,
        epoch: str = "last",
        class_name: str | None = None,
        exclude_dead: bool = False,
    ) -> pd.DataFrame:
        """Returns each policy minus the baseline, paired by seed, with two intervals.

        Args:
            measure: `"accuracy"`, `"loss"` or `"gap"`.
            photos: `"val"`, `"selection"` or `"held_out"`: which validation photos. `None` takes
                all after the last epoch, and the held-out half after a chosen one.
            epoch: `"last"`, or `"chosen"`: each run's epoch with the lowest loss on the selection
                half.
            class_name: Only the photos of this class; `None` takes both.
            exclude_dead: Whether only pairs count in which neither head died.

        Returns:
            A DataFrame with a row for each policy: `difference`; `seeds_low` and `seeds_high`, the
            95% Student-t interval for the same photos and other random initializations;
            `photos_low` and `photos_high`, the 95% interval for other validation photos as well;
            `p_value` of no difference, for other photos as well; `p_holm`, the same corrected for
            the number of policies by Holm's method (the baseline's second training is a check and
            not corrected); `p_same` of a difference of 0.01 or more (two one-sided tests);
            `detectable`, the smallest true difference that these photos and runs
            would have shown four times in five; `pairs` of runs; `verdict`, in a word, as in
            `verdict`. `attrs["about"]` says which photos were measured after which epoch.

        Raises:
            ValueError: If a word is unknown, or a chosen epoch is judged on the photos it was
                chosen on.
        """
        measured = self._estimate(measure, photos, epoch, class_name, exclude_dead)
        rows = {}
        for policy, (estimate, pairs) in measured.items():
            row = dict.fromkeys(DIFFERENCE_COLUMNS, np.nan) | {"pairs": pairs}
            if estimate is not None:
                over_seeds, over_photos = estimate.over_seeds(), estimate.interval()
                row |= {
                    "difference": estimate.mean,
                    "seeds_low": over_seeds.low,
                    "seeds_high": over_seeds.high,
                    "photos_low": over_photos.low,
                    "photos_high": over_photos.high,
                    "p_value": estimate.p_value(),
                    "p_same": estimate.equivalence_p_value(MARGINS[measure]),
                    "detectable": estimate.minimum_detectable_effect(),
                }
            rows[policy] = row
        table = pd.DataFrame(rows).T.rename_axis("policy").astype({"pairs": int})
        table["p_holm"] = table["p_value"]
        several = table.index.isin(self._several()) & table["p_value"].notna()
        table.loc[several, "p_holm"] = correct_by_holm(table.loc[several, "p_value"])
        table["verdict"] = [
            self._call(measure, MARGINS[measure], *measured[policy], row["p_holm"])[0]
            for policy, row in table.iterrows()
        ]
        table.attrs["about"] = self._tell(photos, epoch, class_name)
        return table

    def verdict(
        self,
        measure: str = "accuracy",
        *,
        margin: float | None = None,
        photos: str | None = None,
        epoch: str = "last",
    ) -> str:
        """Returns a sentence for each policy, written by the numbers.

        A policy is better or worse where `p_holm` is under 5%. It is practically the same where
        two one-sided tests at 5% say that the true difference is within the margin. Otherwise the
        numbers can't tell. They can't with fewer than three runs or thirty photos either.

        Args:
            measure: `"accuracy"`, `"loss"` or `"gap"`; a gap is smaller or larger, not better.
            margin: What makes no practical difference, from 0; 0.01 where it is `None`.
            photos: As in `differences`.
            epoch: As in `differences`.

        Raises:
            ValueError: If a word is unknown or the margin out of its range.
        """
        check_choice("measure", measure, MEASURES)
        margin = MARGINS[measure] if margin is None else check_fraction("margin", margin)
        every, alive = (
            (
                self._estimate(measure, photos, epoch, None, exclude_dead),
                self.differences(measure, photos=photos, epoch=epoch, exclude_dead=exclude_dead),
            )
            for exclude_dead in (False, True)
        )
        return "\n".join(
            self._judge(policy, measure, margin, every, alive) for policy in every[1].index
        )

    def _judge(self, policy: str, measure: str, margin: float, every, alive) -> str:
        (estimate, pairs), row = every[0][policy], every[1].loc[policy]
        word, missing = self._call(measure, margin, estimate, pairs, row["p_holm"])
        said = f"{policy}: {word}"
        said += f" than {self.baseline}" if word in ("better", "worse", "smaller", "larger") else ""
        said += (
            f". Difference in {measure} on {every[1].attrs['about']}: {_write(row.difference)} "
            f"(95% interval over runs and photos {_write(row.photos_low)} to "
            f"{_write(row.photos_high)}, over runs alone {_write(row.seeds_low)} to "
            f"{_write(row.seeds_high)})"
        )
        if missing:
            said += f"; {missing}"
        elif word == "can't tell":
            said += ". These photos and runs can only detect a difference of about "
            said += f"{row.detectable:.3f} or more"
        dead = [self._find(name).dead[-1].mean() for name in (self.baseline, policy)]
        if any(dead):
            said += f". Dead heads: {dead[0]:.0%} and {dead[1]:.0%}"
            (estimate, pairs), row = alive[0][policy], alive[1].loc[policy]
            other, _ = self._call(measure, margin, estimate, pairs, row["p_holm"])
            said += f"; the pairs in which neither head died ({pairs}) say the same"
            if other != word:
                said = said.removesuffix("say the same") + (
                    f"disagree: {other}, {_write(row.difference)} [{_write(row.photos_low)}, "
                    f"{_write(row.photos_high)}]"
                )
        return said + "."

    def _call(
        self, measure: str, margin: float, estimate: Estimate | None, pairs: int, p_value: float
    ) -> tuple[str, str]:
        """Returns the verdict in a word or two, and what is missing if none is possible."""
        photos = len(np.unique(self._duplicates))
        if pairs < LEAST_SEEDS:
            return "can't tell", f"{pairs} pairs of runs are too few, train {LEAST_SEEDS} or more"
        if photos < LEAST_PHOTOS:
            return "can't tell", f"{photos} photos are too few, use {LEAST_PHOTOS} or more"
        if estimate.errors[1] == 0:
            return "can't tell", "no photo and no run differs, so nothing says how sure this is"
        same = estimate.equivalence_p_value(margin)
        return choose_word(measure, estimate.mean, p_value, same, margin), ""

    def _estimate(
        self,
        measure: str,
        photos: str | None,
        epoch: str,
        class_name: str | None,
        exclude_dead: bool,
    ) -> dict[str, tuple[Estimate | None, int]]:
        """Returns each policy's estimate, `None` with fewer than two pairs, and its pairs."""
        check_choice("measure", measure, MEASURES)
        part = self._choose_photos(photos, epoch, class_name)
        baseline = self._measure(self.baseline, measure, epoch)
        found = {}
        for policy in self.policies[1:]:
            per_photo = (self._measure(policy, measure, epoch) - baseline)[:, part]
            if exclude_dead:
                alive = [~self._find(name).dead[-1] for name in (policy, self.baseline)]
                per_photo = per_photo[np.logical_and(*alive)]
            enough = len(per_photo) > 1
            estimate = estimate_difference(per_photo, self._duplicates[part]) if enough else None
            found[policy] = (estimate, len(per_photo))
        return found

    def _choose_photos(self, photos: str | None, epoch: str, class_name: str | None) -> np.ndarray:
        check_choice("epoch", epoch, ("last", "chosen"))
        photos = photos or ("val" if epoch == "last" else "held_out")
        part = self._parts[check_choice("photos", photos, self._parts)]
        if epoch == "chosen" and photos != "held_out":
            raise ValueError(
                'Expected photos="held_out" with a chosen epoch, since epochs are chosen on the '
                f"selection half, received {photos!r}."
            )
        if class_name is None:
            return part
        label = self.class_names.index(check_choice("class_name", class_name, self.class_names))
        return part & (self._labels[:, 0] == label)

    def _tell(self, photos: str | None, epoch: str, class_name: str | None) -> str:
        """Returns in words which photos are measured after which epoch."""
        part = self._choose_photos(photos, epoch, class_name)
        words = PHOTOS[photos or ("val" if epoch == "last" else "held_out")].format(part.sum())
        if class_name is not None:
            words += f" of the class {class_name}"
        last = len(self._find(self.baseline).dead)
        return words + (
            f" after epoch {last}"
            if epoch == "last"
            else " after the epoch with the lowest loss on the selection half"
        )

    def _several(self) -> list[str]:
        """Returns the policies that are corrected for being several: not the null check."""
        return [name for name in self.policies[1:] if name != f"{self.baseline} again"]

    def _find(self, policy: str) -> PolicyRuns:
        return self._runs[check_choice("policy", policy, self._runs)]

    def _choose_epochs(self, policy: str) -> np.ndarray:
        """Returns each run's epoch, from 1, with the lowest loss on the selection half."""
        part = self._parts["selection"]
        losses = [
            measure_losses(each_epoch.T[part], self._labels[part]).mean(axis=0)
            for each_epoch in self._find(policy).probabilities
        ]
        return np.argmin(losses, axis=0) + 1

    def _measure(self, policy: str, measure: str, epoch: str) -> np.ndarray:
        """Returns each run's measure photo by photo, shape (seeds, validation photos)."""
        runs = self._find(policy)
        epochs, seeds = runs.dead.shape
        last = np.full(seeds, epochs)
        place = (last if epoch == "last" else self._choose_epochs(policy)) - 1, np.arange(seeds)
        measured = is_right if measure == "accuracy" else measure_losses
        values = measured(runs.probabilities[place].T, self._labels).T.astype(float)
        if measure == "gap":  # What a run's clean training loss is has no photo of its own here.
            values -= runs.train[0][place][:, None]
        return values

    def _table(self, policy: str, runs: PolicyRuns) -> pd.DataFrame:
        epochs, seeds = runs.dead.shape
        columns = {
            "policy": policy,
            "seed": np.tile(runs.seeds, epochs),
            "epoch": np.repeat(np.arange(1, epochs + 1), seeds),
        }
        names = ("clean_loss", "clean_binary_accuracy")
        names += ("augmented_loss", "augmented_binary_accuracy")
        columns |= {
            name: values.ravel()
            for name, values in zip(names, runs.train.astype(float), strict=True)
        }
        # One epoch at a time: the losses of all would be large.
        losses = [measure_losses(each_epoch.T, self._labels) for each_epoch in runs.probabilities]
        right = [is_right(each_epoch.T, self._labels) for each_epoch in runs.probabilities]
        for name, part in self._parts.items():
            columns[f"{name}_loss"] = np.ravel([each[part].mean(axis=0) for each in losses])
            columns[f"{name}_binary_accuracy"] = np.ravel(
                [each[part].mean(axis=0) for each in right]
            )
        for label, name in enumerate(self.class_names):
            part = self._labels[:, 0] == label
            columns[f"accuracy_{name}"] = np.ravel([each[part].mean(axis=0) for each in right])
        table = pd.DataFrame(columns)
        table["gap"] = table["val_loss"] - table["clean_loss"]
        table["dead_head"] = runs.dead.ravel()
        return table.sort_values(["seed", "epoch"], ignore_index=True)


def choose_word(
    measure: str, difference: float, p_value: float, p_same: float, margin: float
) -> str:
    """Returns what can be said of a difference, in a word or two.

    Args:
        measure: As in `Comparison.differences`.
        difference: The policy minus the baseline.
        p_value: Of no difference, corrected for several comparisons.
        p_same: Of a difference outside of the margin.
        margin: What makes no practical difference.

    Example:
        >>> choose_word("loss", -0.02, p_value=0.01, p_same=0.9, margin=0.01)
        'better'
    """
    if p_value < LEVEL:
        if not MEASURES[measure]:
            return "larger" if difference > 0 else "smaller"
        return "better" if difference * MEASURES[measure] > 0 else "worse"
    return f"practically the same (within ±{margin:g})" if p_same < LEVEL else "can't tell"


DIFFERENCE_COLUMNS = (
    *("difference", "seeds_low", "seeds_high", "photos_low", "photos_high"),
    *("p_value", "p_holm", "p_same", "detectable", "pairs"),
)


def _write(number: float) -> str:
    return f"{number:+.3f}"
