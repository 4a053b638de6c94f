"""What a policy is worth in photos: with how many more the baseline would be as good."""

import numpy as np
import pandas as pd

from course_utils.core.checks import check_choice

RESAMPLES = 2000
COLUMNS = ("policy", "train_photos", "seed", "held_out_loss", "dead_head")


def find_equivalent_photos(
    table: pd.DataFrame,
    policy: str,
    baseline: str,
    *,
    exclude_dead: bool = True,
    confidence: float = 0.95,
    seed: int = 31415,
) -> pd.DataFrame:
    """Tells how many photos without a policy give the loss that fewer give with it.

    The baseline's mean loss is drawn as a line over the logarithm of the number of photos; what
    is looked for is the smallest number where that line comes down to the policy's loss. The
    interval is the bootstrap's: seeds are resampled with replacement, each with its runs of both
    policies and all numbers of photos, since these start from the same head.

    Args:
        table: A row a run: `policy`, `train_photos`, `seed`, `held_out_loss` at the epoch chosen on
            the selection half, and `dead_head`.
        policy: Its name.
        baseline: The name of what it is compared with.
        exclude_dead: Whether to leave out runs whose head died, as in the figure.
        confidence: Of the interval, from 0 to 1.
        seed: Of the draws.

    Returns:
        A DataFrame, one row for each number of `train_photos` with the policy: its mean
        `held_out_loss`; `worth`, the number of photos without it, and the interval's ends `low` and
        `high`, each infinite where it is more than the largest number measured and 0 where it is
        less than the smallest; `says`, the same in words.

    Raises:
        ValueError: If columns or policies are missing, the baseline has fewer than two numbers of
            photos, the seeds differ or are fewer than two, none counts somewhere, or
            `confidence` is out of its range.

    Example:
        >>> losses = {("none", 100): 0.6, ("none", 200): 0.5, ("flip", 100): 0.5}
        >>> rows = [(*key, seed, loss, False) for key, loss in losses.items() for seed in (0, 1)]
        >>> columns = ["policy", "train_photos", "seed", "held_out_loss", "dead_head"]
        >>> table = find_equivalent_photos(pd.DataFrame(rows, columns=columns), "flip", "none")
        >>> table["worth"].round().tolist()
        [200.0]
    """
    _check(table, policy, baseline)
    if not 0 < confidence < 1:
        raise ValueError(
            f"Expected `confidence` between 0 and 1, received {confidence!r}. 0.95 stands for 95%."
        )
    losses, seeds = {}, sorted(table.loc[table["policy"] == policy, "seed"].unique())
    for name in (policy, baseline):
        runs = table[table["policy"] == name]
        if exclude_dead:
            runs = runs[~runs["dead_head"].astype(bool)]
        counts = sorted(table.loc[table["policy"] == name, "train_photos"].unique())
        by_seed = runs.pivot(index="seed", columns="train_photos", values="held_out_loss")
        losses[name] = by_seed.reindex(index=seeds, columns=counts)
        _check_counting(losses[name], name)
    draws = np.random.default_rng(seed).multinomial(
        len(seeds), np.full(len(seeds), 1 / len(seeds)), size=RESAMPLES
    )
    # The first row is what was measured: every seed once.
    draws = np.vstack([np.ones(len(seeds)), draws])
    with_policy, without = (_average(draws, losses[name]) for name in (policy, baseline))
    counts = losses[baseline].columns.to_numpy()
    tail = (1 - confidence) / 2
    rows = {}
    for column, photos in enumerate(losses[policy].columns):
        found = _find_count(counts, without, with_policy[:, column])
        resampled = found[1:][~np.isnan(found[1:])]
        # The ends are values that occurred: between a number and infinity there is none.
        low, high = np.quantile(resampled, (tail, 1 - tail), method="inverted_cdf")
        rows[int(photos)] = {
            "held_out_loss": with_policy[0, column],
            "worth": found[0],
            "low": low,
            "high": high,
            "says": f"{photos:,} photos with {policy!r} are equivalent to "
            f"{_write(found[0], counts)} with {baseline!r}; {confidence:.0%} interval: "
            f"{_write(low, counts)} to "
            f"{_write(high, counts)}.",
        }
    return pd.DataFrame(rows).T.rename_axis("train_photos").infer_objects()


def _average(draws: np.ndarray, losses: pd.DataFrame) -> np.ndarray:
    """Returns the mean loss of each draw of seeds, shape (draws, numbers of photos).

    NaN stands where a draw has no seed that counts.
    """
    counted = losses.notna().to_numpy(float)
    with np.errstate(invalid="ignore"):
        return (draws @ losses.fillna(0).to_numpy()) / (draws @ counted)


def _find_count(counts: np.ndarray, losses: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the smallest number of photos that gives the loss, interpolated on its logarithm.

    Args:
        counts: Shape (counts,), rising.
        losses: Shape (draws, counts), at each of them.
        wanted: Shape (draws,).

    Returns:
        Shape (draws,): infinite where no number gives it, 0 where the smallest gives less, NaN
        where a loss is.
    """
    # More photos never count as worse: a loss that rises by chance is taken as not falling.
    falling = np.minimum.accumulate(losses, axis=1)
    reached = falling <= wanted[:, None]
    after = np.clip(reached.argmax(axis=1), 1, None)
    draw = np.arange(len(wanted))
    above, below = falling[draw, after - 1], falling[draw, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip((above - wanted) / (above - below), 0, 1)
    logarithms = np.log(counts)
    found = np.exp(logarithms[after - 1] + share * (logarithms[after] - logarithms[after - 1]))
    found[falling[:, 0] == wanted] = counts[0]
    found[falling[:, 0] < wanted] = 0
    found[~reached.any(axis=1)] = np.inf
    found[np.isnan(losses).any(axis=1) | np.isnan(wanted)] = np.nan
    return found


def _write(worth: float, counts: np.ndarray) -> str:
    if np.isinf(worth):
        return f"more than {counts[-1]:,} (the largest measured)"
    if worth == 0:
        return f"less than {counts[0]:,} (the smallest measured)"
    return f"{float(f'{worth:.2g}'):,.0f}"


def _check(table: pd.DataFrame, policy: str, baseline: str) -> None:
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(COLUMNS)}, received none called "
            f"{', '.join(missing)}. Read the table with load_results."
        )
    policies = list(dict.fromkeys(table["policy"]))
    for name in (policy, baseline):
        check_choice("policy", name, policies)
    both = [table[table["policy"] == name] for name in (policy, baseline)]
    seeds = [set(runs["seed"]) for runs in both]
    if seeds[0] != seeds[1] or len(seeds[0]) < 2:
        raise ValueError(
            f"Expected the same seeds of both policies, two or more, received {len(seeds[0])} of "
            f"{policy!r} and {len(seeds[1])} of {baseline!r}."
        )
    if both[1]["train_photos"].nunique() < 2:
        raise ValueError(
            f"Expected {baseline!r} with two numbers of train photos or more, received one: there "
            "is nothing to draw a line through."
        )


def _check_counting(losses: pd.DataFrame, policy: str) -> None:
    for photos, column in losses.items():
        if column.isna().all():
            raise ValueError(
                f"Expected a head of {policy!r} that did not die with {photos:,} train photos, "
                "received none: leave that number out, or count all heads with exclude_dead=False."
            )
