"""Compares policies on the real photos and writes what came out to data/results/.

    COURSE_DATA_DIR=../shared/car-or-truck python benchmarks/publish_results.py

All photos, the lesson's head, 20 starts, 30 epochs. Each policy's features are computed once (for
every view of all train photos some minutes to an hour, by machine); a run that was broken off
goes on where it stopped. Policies that have been compared before stand in the cache, so that one
more costs only itself.
"""

import argparse
import datetime
import json
import sys
from importlib.metadata import version

from course_utils import runtime, settings
from course_utils.files import write_whole

runtime.import_tensorflow()
from course_utils.augmentation import Augmentation  # noqa: E402
from course_utils.comparison import compare  # noqa: E402
from course_utils.data import load_car_or_truck  # noqa: E402
from course_utils.weights import load_vgg16_base  # noqa: E402

POLICIES = {
    "none": Augmentation(),
    "flip + contrast": Augmentation(flip="horizontal", contrast=0.5),
}
SEEDS, EPOCHS = 20, 30
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "pillow")
DECIMALS = 5


def write_table(table, name: str) -> None:
    """Writes a table to data/results/, whole or not at all."""
    with write_whole(settings.project_dir() / "data" / "results" / f"{name}.csv") as beside:
        table.round(DECIMALS).to_csv(beside, lineterminator="\n")


def main() -> None:
    """Compares, prints the tables and writes them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=8, help="stored views of a train photo")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    chosen = parser.parse_args()
    runtime.set_seed()
    splits = load_car_or_truck(settings.load_settings("full"))
    found = compare(
        POLICIES,
        splits,
        load_vgg16_base(),
        seeds=SEEDS,
        epochs=EPOCHS,
        views=chosen.views,
        precision=chosen.precision,
    )
    # Nothing random is one view, whatever was asked for.
    plain = found.runs["policy"].str.startswith("none")
    found.runs["views"] = plain.map({True: 1, False: chosen.views})
    columns = ["policy", "views", "seed", "epoch", "clean_loss", "clean_binary_accuracy"]
    columns += ["augmented_loss", "augmented_binary_accuracy", "val_loss", "val_binary_accuracy"]
    columns += ["gap", "dead_head"]
    write_table(found.runs[columns].set_index(columns[:4]), "histories")
    for measure in ("accuracy", "loss"):
        for living in (False, True):
            name = f"differences-{measure}{'-living' if living else ''}"
            table = found.differences(measure, photos="sealed", living=living)
            write_table(table, name)
            print(f"\n{name} (sealed photos, last epoch)\n{table.round(4).to_string()}")
        print(found.verdict(measure))
    for living in (False, True):
        table = found.summary(living=living)
        write_table(table, "summary-living" if living else "summary")
        print(f"\n{table.round(3).to_string()}")
    about = {
        "command": " ".join(["python benchmarks/publish_results.py", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "machine": f"{runtime.processor()}, {runtime.device()}",
        "packages": {name: version(name) for name in PACKAGES},
        "photos": {split: int(row.sum()) for split, row in splits.counts.iterrows()},
        "policies": {name: policy.describe() for name, policy in POLICIES.items()},
        "seeds": SEEDS,
        "epochs": EPOCHS,
        "views": chosen.views,
    }
    with write_whole(settings.project_dir() / "data" / "results" / "comparison.json") as beside:
        beside.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
