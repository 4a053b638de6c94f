"""What the synthetic vehicles show a frozen VGG16: the numbers behind lesson 03.

Run it with `python studies/vehicles_evidence.py`. It sends some thousand pictures through
the base once (minutes on a CPU; the features are kept in the cache) and
then trains twenty heads for each line that it prints.

All intervals are Student-t intervals over seeds, paired where two policies are compared: the same
photos in the same order, another start. They do not cover other photos; how far so few valid
photos alone may lead astray is printed beside.
"""

import argparse
from functools import partial

import numpy as np
import pandas as pd
from keras import layers
from scipy import stats
from sklearn.linear_model import LogisticRegression

import course_utils as cu

WITH, AGAINST = "with the bias", "against the bias"
CLASS_NAMES = ("Car", "Truck")
FAIR = {
    "heading": ("left", "right"),
    "light": ("day", "dusk"),
    "background": ("buildings", "trees"),
}


def bias(car: str, truck: str) -> cu.PerClass:
    """Nine in ten cars have the first value, nine in ten trucks the second."""
    return cu.PerClass(car={car: 0.9, truck: 0.1}, truck={car: 0.1, truck: 0.9})


def interval(values: pd.Series) -> str:
    """The mean with its 95% interval, as text."""
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def describe(name: str, runs: pd.DataFrame, columns: list[str]) -> None:
    """Prints means and standard deviations over living heads, and how many died."""
    alive = runs[~runs["dead_head"]]
    means = ", ".join(
        f"{each} {alive[each].mean():.3f} ± {alive[each].std():.3f}" for each in columns
    )
    print(f"  {name}: {means}; {len(runs) - len(alive)} of {len(runs)} heads dead", flush=True)


def compare(before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Prints how far the weakness shrinks, paired by seed."""
    weakness = pd.DataFrame({"before": before[WITH] - before[AGAINST]})
    weakness["after"] = after[WITH] - after[AGAINST]
    weakness["shrinkage"] = weakness["before"] - weakness["after"]
    living = weakness[~before["dead_head"] & ~after["dead_head"]]
    for name, pairs in (("pairs that live", living), ("all seeds", weakness)):
        means = pairs.mean()
        print(
            f"  {name} ({len(pairs)}): weakness {interval(pairs['before'])} before, "
            f"{interval(pairs['after'])} after; it shrinks by {interval(pairs['shrinkage'])}, "
            f"{means['shrinkage'] / means['before']:.0%} of it",
            flush=True,
        )


def probe_pixels(train, valid) -> None:
    """Prints how far a linear classifier comes on raw pixels, at several strengths of its prior."""
    flat = [images.reshape(len(images), -1) for images in (train[0], valid[0])]
    flat = [pixels - flat[0].mean(axis=0) for pixels in flat]
    found = {}
    for strength in (1e-5, 1e-4, 1e-3, 1e-2):
        probe = LogisticRegression(C=strength, max_iter=200).fit(flat[0], train[1][:, 0])
        found[strength] = probe.score(flat[1], valid[1][:, 0])
    print("Linear probe on raw pixels:", ", ".join(f"C={c:g}: {a:.3f}" for c, a in found.items()))


def main() -> None:
    """Draws, trains, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=600, help="train pictures")
    parser.add_argument("--valid", type=int, default=400, help="valid pictures")
    parser.add_argument("--seeds", type=int, default=20, help="heads for each line")
    parser.add_argument("--views", type=int, default=2, help="views of a random augmentation")
    parser.add_argument("--batch-size", type=int, default=64)
    chosen = parser.parse_args()

    base = cu.load_vgg16_base()
    flip = [layers.RandomFlip("horizontal", seed=1, dtype="float32")]
    relight = [
        layers.RandomBrightness(0.3, value_range=(0, 1), seed=2, dtype="float32"),
        layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=3, dtype="float32"),
    ]
    draw_train = partial(cu.make_synthetic_vehicles, chosen.train)
    measure = partial(
        cu.evaluate_subgroups, base, seeds=chosen.seeds, views=chosen.views, progress=False
    )
    build = partial(
        cu.splits_from_arrays,
        class_names=CLASS_NAMES,
        source="Drawn.",
        batch_size=chosen.batch_size,
    )
    print(f"{chosen.train} train and {chosen.valid} valid pictures, {chosen.seeds} seeds.")

    train, valid = draw_train()[:2], cu.make_synthetic_vehicles(chosen.valid, split="valid")[:2]
    probe_pixels(train, valid)
    print("No bias, the set of lessons 00 to 02:")
    runs = measure(build(train, valid), ["all"] * chosen.valid)
    describe("no augmentation", runs, ["all", "clean_loss", "val_loss"])

    *valid, facts = cu.make_synthetic_vehicles(chosen.valid, split="valid", **FAIR)

    def tell_groups(name: str, of_cars: str) -> np.ndarray:
        agrees = (facts[name] == of_cars) == (facts["type"] == "Car")
        return np.where(agrees, WITH, AGAINST)

    policies = {"flip": flip, "brightness and contrast": relight}
    tried = {
        "heading": (("left", "right"), ["flip"]),
        "light": (("day", "dusk"), ["brightness and contrast"]),
        "background": (("buildings", "trees"), ["flip"]),
    }
    for name, (values, augmentations) in tried.items():
        groups = tell_groups(name, of_cars=values[0])
        chance = np.sqrt(sum(0.8 * 0.2 / np.sum(groups == each) for each in (WITH, AGAINST)))
        print(f"Bias of {name}, 90 of 100 cars {values[0]}, 90 of 100 trucks {values[1]}")
        print(f"  (so few valid photos alone give a difference of groups ± {chance:.3f}):")
        *train, train_facts = draw_train(**{**FAIR, name: bias(*values)})
        splits = build(train, valid)
        before = measure(splits, groups)
        describe("no augmentation", before, [WITH, AGAINST, "clean_loss", "val_loss"])
        for policy in augmentations:
            after = measure(splits, groups, augmentation=policies[policy])
            describe(policy, after, [WITH, AGAINST, "clean_loss", "val_loss"])
            compare(before, after)

    # The last pictures drawn, those with a bias of background, asked another question.
    print("Which way does it face? The pictures of the background bias, label heading:")
    labels = [
        (table["heading"] == "right").to_numpy("float32")[:, None] for table in (train_facts, facts)
    ]
    splits = build((train[0], labels[0]), (valid[0], labels[1]))
    for policy, augmentation in {"no augmentation": [], "flip": flip}.items():
        runs = measure(splits, ["all"] * chosen.valid, augmentation=augmentation)
        describe(policy, runs, ["all", "clean_loss", "val_loss"])
        print(f"    above chance by {interval(runs['all'] - 0.5)} (all seeds)")


if __name__ == "__main__":
    main()
