"""How often the intervals of a comparison cover the truth, and how often verdicts claim too much.

    python studies/coverage_study.py

The truth is known here, since the differences are random numbers: run effects, photo effects and
noise, normal or from a t-distribution with 3 degrees of freedom, which has more extreme values.
`fraction` is how much of the mean's variance comes from the runs; photos and noise share the rest.
The table goes to data/results/coverage.csv.
"""

import argparse
import itertools

import numpy as np
import pandas as pd

from course_utils.evaluation.statistics import estimate_difference

SEEDS = (2, 3, 5, 10, 20)
FRACTIONS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
PHOTO_FRACTIONS = (0.0, 0.5, 1.0)  # of what runs leave, how much is the photos' own
NOISES = ("normal", "t3")
PHOTOS, TRIALS = 200, 2000


def draw_differences(
    random: np.random.Generator, noise: str, *, seeds: int, photos: int, fraction, photo_fraction
) -> np.ndarray:
    """Returns differences whose true mean is zero, shape (seeds, photos).

    Args:
        random: Draws them.
        noise: `"normal"` or `"t3"`.
        seeds: The number of runs.
        photos: The number of photos.
        fraction: Of the variance of the mean, what comes from the runs.
        photo_fraction: Of the rest, what comes from the photos; noise gives what is left.
    """

    def draw(shape):
        if noise == "normal":
            return random.standard_normal(shape)
        return random.standard_t(3, shape) / np.sqrt(3)

    variances = fraction, (1 - fraction) * photo_fraction, (1 - fraction) * (1 - photo_fraction)
    by_seed, by_photo, both = np.sqrt(np.multiply(variances, (seeds, photos, seeds * photos)))
    effects = by_seed * draw((seeds, 1)) + by_photo * draw(photos)
    return effects + (both * draw((seeds, photos)) if both else 0.0)


def measure_coverage(
    noise: str, seeds: int, fraction: float, photo_fraction: float, *, photos: int, trials: int
) -> dict[str, float]:
    """Returns how often the 95% interval covers the truth, and how often one is inside the other.

    Args:
        noise: As in `draw_differences`.
        seeds: The same.
        fraction: The same.
        photo_fraction: The same.
        photos: The same.
        trials: How many times differences are drawn.
    """
    about = [NOISES.index(noise), seeds, round(100 * fraction), round(100 * photo_fraction)]
    random, covered, alone, inside = np.random.default_rng(about), 0, 0, 0
    for _ in range(trials):
        drawn = draw_differences(
            random,
            noise,
            seeds=seeds,
            photos=photos,
            fraction=fraction,
            photo_fraction=photo_fraction,
        )
        estimate = estimate_difference(drawn, np.arange(photos))
        interval = estimate.interval()
        over_seeds = estimate.over_seeds()
        covered += not interval.excludes_zero
        alone += not over_seeds.excludes_zero
        inside += interval.high < over_seeds.high
    return {
        "coverage": covered / trials,
        "coverage_over_seeds_alone": alone / trials,
        "inside_the_one_over_seeds": inside / trials,
    }


def measure_all(*, photos: int, trials: int) -> pd.DataFrame:
    """Returns a row for each noise, number of runs and composition of the variance."""
    rows = []
    for noise, seeds, fraction, photo_fraction in itertools.product(
        NOISES, SEEDS, FRACTIONS, PHOTO_FRACTIONS
    ):
        if fraction == 1 and photo_fraction:
            continue  # Nothing is left to share.
        about = {
            "noise": noise,
            "seeds": seeds,
            "seed_fraction": fraction,
            "photo_fraction": photo_fraction,
        }
        measured = measure_coverage(
            noise, seeds, fraction, photo_fraction, photos=photos, trials=trials
        )
        rows.append(about | measured)
    return pd.DataFrame(rows)


def main() -> None:
    """Measures, writes the table, and prints the extremes."""
    from published_tables import write_table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=TRIALS)
    asked = parser.parse_args()
    table = measure_all(photos=PHOTOS, trials=asked.trials)
    print(table.groupby(["noise", "seeds"])["coverage"].agg(["min", "max"]))
    print("Inside the interval over seeds alone:", table["inside_the_one_over_seeds"].max())
    write_table(table, "coverage", [f"{PHOTOS} photos, {asked.trials:,} trials each."])


if __name__ == "__main__":
    main()
