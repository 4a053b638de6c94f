"""Trains what exercises 01 and 02 read curves from: five runs on the same synthetic vehicles.

Run it with `python studies/exercise_histories.py` after `exercise_policies.py`, which leaves the
features in the cache (without it, 1,600 passes through the frozen base come first).
"""

import datetime

import pandas as pd

import course_utils as cu
from course_utils.core.backend import device, import_tensorflow, processor
from course_utils.core.environment import data_dir
from course_utils.core.files import atomic_write
from course_utils.exercises import vehicle_questions

tensorflow = import_tensorflow()
import keras  # noqa: E402 (TensorFlow is to be quiet first)

TRAIN, VALID, EPOCHS = 600, 400, 30
FEW = 150
# From a run's name to its policy, its photos, its head's seed, its learning rate.
RUNS = {
    "none": ("none", TRAIN, 1, 1e-3),
    "flip": ("flip", TRAIN, 1, 1e-3),
    "few photos": ("none", FEW, 0, 1e-3),
    "slow": ("none", TRAIN, 1, 1e-6),
    "dead": ("none", TRAIN, None, 1e-3),
}


def find_dead_seed() -> int:
    """Returns the first start that died in the published table, without augmentation."""
    table = pd.read_csv(data_dir() / "results" / "exercise-policies.csv", comment="#")
    rows = table[(table["question"] == "type") & (table["policy"] == "none") & table["dead_head"]]
    return int(rows["seed"].iloc[0])


def main() -> None:
    """Draws, trains, and writes the histories."""
    splits = vehicle_questions.build_question_splits(TRAIN, VALID)["type"]
    base = cu.load_vgg16_base()
    histories = []
    for name, (policy, photos, seed, rate) in RUNS.items():
        layers = vehicle_questions.POLICIES[policy].layers(vehicle_questions.SEED)
        model = cu.build_classifier(base, layers, seed=find_dead_seed() if seed is None else seed)
        model.optimizer.learning_rate = rate
        history = cu.train(
            model,
            # All of them in their own order: the order decides which heads die.
            splits if photos == TRAIN else splits.take_train(photos),
            epochs=EPOCHS,
            method="stored_features",
            seed=vehicle_questions.SEED,
        )
        histories.append(history.reset_index().assign(run=name))
        print(name, history.iloc[[-1]].round(3).to_dict("records")[0], flush=True)
    table = pd.concat(histories, ignore_index=True)
    columns = ["run", "epoch", *histories[0].columns.drop(["run", "epoch"])]
    notes = (
        "python studies/exercise_histories.py",
        f"synthetic vehicles, car or truck, {TRAIN} train ({FEW} in few photos) and {VALID} valid",
        f"tensorflow {tensorflow.__version__}, keras {keras.__version__}",
        f"{device()}: {processor()}",
        f"{datetime.date.today():%Y-%m-%d}",
    )
    text = "".join(f"# {note}\n" for note in notes)
    text += table[columns].round(5).to_csv(index=False, lineterminator="\n")
    with atomic_write(data_dir() / "results" / "exercise-histories.csv") as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
