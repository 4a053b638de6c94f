"""Four questions asked of the same synthetic vehicles, and how well a policy answers each.

A *policy* is the `Augmentation` that someone chose for a question. The photos stay the same from
question to question, so that a view's features are computed once for all four.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from course_utils.augmentation.policy import Augmentation
from course_utils.data.synthetic.dataset import make_synthetic_vehicles
from course_utils.data.synthetic.parameters import LABELS

# Each question's two answers, for labels 0 and 1.
TASKS = {name: LABELS[name] for name in ("type", "heading", "light", "paint")}
# What a question asks about is as often the one as the other.
FAIR = {"heading": ("left", "right"), "light": ("day", "dusk"), "paint": ("bright", "dark")}
SEED = 31415
BATCH_SIZE = 16

# What the published table compares.
POLICIES = {
    "none": Augmentation(),
    "flip": Augmentation(flip="horizontal"),
    "light": Augmentation(brightness=0.3, contrast=0.5),
    "color": Augmentation(hue=180, saturation=0.4),
    "camera": Augmentation(rotation=10, translation=0.1, zoom=0.2),
    "flip and camera": Augmentation(flip="horizontal", rotation=10, translation=0.1, zoom=0.2),
}


def build_question_splits(train_count: int, valid_count: int) -> dict[str, object]:
    """Draws vehicles once and asks four questions of them.

    Args:
        train_count: How many training photos; a smaller count gives the first of a larger one's.
        valid_count: The same for validation photos.

    Returns:
        From each name in `TASKS` to its `Splits`: the same photos, other labels.
    """
    from course_utils.data.dataset import splits_from_arrays

    drawn = {
        split: make_synthetic_vehicles(count, split=split, seed=SEED, **FAIR)
        for split, count in (("train", train_count), ("valid", valid_count))
    }

    def label(split: str, question: str) -> tuple[np.ndarray, np.ndarray]:
        images, _, facts = drawn[split]
        second = facts[question] == TASKS[question][1]
        return images, second.to_numpy("float32")[:, None]

    return {
        question: splits_from_arrays(
            label("train", question),
            label("valid", question),
            class_names=answers,
            source="Synthetic vehicles from the course kit.",
            batch_size=BATCH_SIZE,
            seed=SEED,
        )
        for question, answers in TASKS.items()
    }


def measure_policies(
    base,
    splits: Mapping[str, object],
    policies: Mapping[str, Mapping[str, Augmentation]],
    *,
    groups: np.ndarray | None = None,
    seeds: int = 10,
    epochs: int = 30,
    views: int = 2,
    progress: bool = True,
) -> pd.DataFrame:
    """Trains heads for some questions under some policies, all runs of one policy side by side.

    Args:
        base: The frozen base, as `load_vgg16_base` gives.
        splits: What `build_question_splits` returned.
        policies: From questions to policies by name.
        groups: For each validation photo the name of its group; one group, `"valid"`, if `None`.
        seeds: How many random initializations for each question and policy.
        epochs: How often every training photo is used.
        views: Stored views of each training photo, where an augmentation is random.
        progress: Whether to say what is computed.

    Returns:
        A DataFrame, one row for each question, policy and seed: the columns `question`,
        `policy`, `settings` (the policy as JSON), `seed`, each group's accuracy, `dead_head`.
    """
    from course_utils.evaluation.subgroups import evaluate_subgroups

    tables = []
    for question, chosen in policies.items():
        photos = splits[question]
        names = ["valid"] * photos.valid.count if groups is None else groups
        for name, augmentation in chosen.items():
            runs = evaluate_subgroups(
                base,
                photos,
                names,
                augmentation=augmentation.layers(SEED),
                seeds=seeds,
                epochs=epochs,
                views=views,
                seed=SEED,
                progress=progress,
            ).reset_index()
            runs.insert(0, "question", question)
            runs.insert(1, "policy", name)
            runs.insert(2, "settings", augmentation.to_json())
            tables.append(runs[[*runs.columns[:4], *dict.fromkeys(names), "dead_head"]])
    return pd.concat(tables, ignore_index=True)
