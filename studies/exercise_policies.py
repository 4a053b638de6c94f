"""Measures what exercise 03 bets on: four questions, six policies, twenty starts each.

Run it with `python studies/exercise_policies.py`. The synthetic vehicles go through the frozen
base once for every view (8,800 passes, some six minutes on two cores; the features are kept in the
cache). A seeded draw halves the valid pictures: bets are made on the half called `select` and
scored on the half called `sealed`.
"""

import argparse
import datetime

import numpy as np

import course_utils as cu
from course_utils.core.backend import device, import_tensorflow, processor
from course_utils.core.environment import data_dir
from course_utils.core.files import atomic_write
from course_utils.exercises import vehicle_questions

tensorflow = import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)


def halve(count: int, *, seed: int) -> np.ndarray:
    """Returns `"select"` or `"sealed"` for each valid picture, as many of one as of the other."""
    halves = np.array(["select", "sealed"], dtype=object)[np.arange(count) % 2]
    return np.random.default_rng(seed).permutation(halves)


def main() -> None:
    """Draws, trains, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=600, help="train pictures")
    parser.add_argument("--valid", type=int, default=400, help="valid pictures")
    parser.add_argument("--seeds", type=int, default=20, help="starts for each line")
    parser.add_argument("--views", type=int, default=3, help="views of a random augmentation")
    chosen = parser.parse_args()

    seed = vehicle_questions.SEED
    runs = vehicle_questions.measure_policies(
        cu.load_vgg16_base(),
        vehicle_questions.build_question_splits(chosen.train, chosen.valid),
        dict.fromkeys(vehicle_questions.TASKS, vehicle_questions.POLICIES),
        groups=halve(chosen.valid, seed=seed),
        seeds=chosen.seeds,
        views=chosen.views,
    )
    columns = ["question", "policy", "settings", "seed", "select", "sealed", "dead_head"]
    notes = (
        "python studies/exercise_policies.py "
        f"--train {chosen.train} --valid {chosen.valid} --seeds {chosen.seeds} "
        f"--views {chosen.views}",
        f"synthetic vehicles; seed {seed}; accuracy on two halves of the valid pictures",
        f"tensorflow {tensorflow.__version__}, keras {keras.__version__}, numpy {np.__version__}",
        f"{device()}: {processor()}",
        f"{datetime.date.today():%Y-%m-%d}",
    )
    text = "".join(f"# {note}\n" for note in notes)
    text += runs[columns].round(4).to_csv(index=False, lineterminator="\n")
    with atomic_write(data_dir() / "results" / "exercise-policies.csv") as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
    means = runs[~runs["dead_head"]].groupby(["question", "policy"])[["select", "sealed"]].mean()
    print(means.round(3).to_string())
    print(runs.groupby(["question", "policy"])["dead_head"].sum().unstack().to_string())


if __name__ == "__main__":
    main()
