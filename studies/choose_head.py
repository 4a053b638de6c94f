"""Does the head of the comparisons die, and is it as good as the lesson's heads that survive?

    COURSE_DATA_DIR=../shared/car-or-truck python studies/choose_head.py synthetic real

Photos that judge policies take no part: the synthetic vehicles of the quick profile, and the real
training photos, of which a quarter is set aside for accuracy and loss. 500 runs of each head, over
all policies together. The table goes to data/results/heads.csv.
"""

import argparse
import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
from publish import POLICIES, PRECISION, SEED
from published_tables import write_table

from course_utils.core import backend, cache, settings
from course_utils.data.dataset import Splits, choose_balanced, load_car_or_truck
from course_utils.evaluation.runs import build_heads
from course_utils.features.views import list_views
from course_utils.models.classifier import HEADS, build_classifier, build_imagenet_preprocessing
from course_utils.models.fingerprints import fingerprint_base
from course_utils.models.partition import split_model
from course_utils.models.vgg16 import load_vgg16_base
from course_utils.training.heads import Order, in_order, measure_losses, open_features

RUNS, VIEWS, EPOCHS = 500, 2, 30


def list_policies(names) -> dict[str, list]:
    """Returns the layers of the policies, and of ImageNet's preprocessing."""
    layers = {name: policy.layers(SEED) for name, policy in POLICIES.items()}
    layers["ImageNet's preprocessing"] = [build_imagenet_preprocessing()]
    return {name: layers[name] for name in names or layers}


def set_aside(splits: Splits) -> Splits:
    """Returns the training photos alone, with a quarter of them as validation photos."""
    train = splits.train
    kept = choose_balanced(train.labels, train.count * 3 // 4, seed=SEED)
    rest = np.setdiff1d(np.arange(train.count), kept)
    return replace(splits, train=train._with(np.sort(kept)), valid=train._with(rest, shuffle=False))


def measure_heads(splits: Splits, base, policies, *, head: str, runs: int) -> pd.DataFrame:
    """Returns a row for each policy and run: accuracy and loss, and whether the head died.

    Args:
        splits: Photos for training, and others for accuracy and loss.
        base: The frozen VGG16.
        policies: From a name to layers.
        head: Which kind of head.
        runs: How many, spread over the policies.
    """
    tables, labels = [], splits.train.labels
    for number, (name, layers) in enumerate(policies.items()):
        parts = split_model(build_classifier(base, layers, seed=SEED))
        options = {"views": VIEWS, "seed": SEED, "precision": PRECISION, "progress": True}
        stored, clean, valid = open_features(parts, splits, **options)
        # None of these is a seed of the published comparisons.
        seeds = range(1000 + number, 1000 + runs, len(policies))
        keys = hashlib.sha256(np.concatenate([splits.train.keys, splits.valid.keys])).hexdigest()
        views = [view.fingerprint for view in list_views(layers, views=VIEWS, seed=SEED)]
        about = [head, list(seeds), EPOCHS, clean.precision, fingerprint_base(base)]

        def train(stored=stored, clean=clean, valid=valid, seeds=seeds) -> dict[str, np.ndarray]:
            heads = build_heads(base, seeds, head)
            order, size = Order(SEED, seeds), splits.train.batch_size
            heads.fit(stored, labels, order=order, batch_size=size, epochs=EPOCHS)
            probabilities = heads.predict(in_order([valid], splits.valid.labels))[0]
            right = (probabilities > 0.5) == (splits.valid.labels > 0.5)
            return {
                "loss": measure_losses(probabilities, splits.valid.labels).mean(axis=0),
                "accuracy": right.mean(axis=0),
                "dead": ~heads.predict(in_order([clean], labels))[1],
            }

        # Kept, so that a study that is stopped goes on with the next policy.
        kept = cache.load_or_make(cache.name_entry("heads", [*about, views, keys]), train)
        found = {name: kept[name][:] for name in ("loss", "accuracy", "dead")}
        columns = {
            "head": head,
            "policy": name,
            "seed": list(seeds),
            "loss": found["loss"],
            "accuracy": found["accuracy"],
            "dead_head": found["dead"],
        }
        tables.append(pd.DataFrame(columns))
        print(f"{head}, {name}: {found['dead'].sum()} of {len(seeds)} died", flush=True)
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Measures both heads and writes one row for each set of photos, head and policy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", choices=("synthetic", "real"))
    parser.add_argument("--policies", nargs="+", default=[])
    asked = parser.parse_args()
    backend.set_seed()
    base, policies, rows = load_vgg16_base(), list_policies(asked.policies), []
    for photos in asked.photos:
        if photos == "synthetic":
            splits = load_car_or_truck(settings.load_settings("quick"), folder="synthetic")
        else:
            splits = set_aside(load_car_or_truck(settings.load_settings("full")))
        for head in HEADS:
            table = measure_heads(splits, base, policies, head=head, runs=RUNS)
            for policy, runs in table.groupby("policy", sort=False):
                alive = runs[~runs["dead_head"]]
                rows.append(
                    {
                        "photos": photos,
                        "head": head,
                        "policy": policy,
                        "runs": len(runs),
                        "dead": int(runs["dead_head"].sum()),
                        "loss_without_dead": alive["loss"].mean(),
                        "loss_error": alive["loss"].sem(),
                        "accuracy_without_dead": alive["accuracy"].mean(),
                        "accuracy_error": alive["accuracy"].sem(),
                    }
                )
    notes = [f"{RUNS} runs of each head, {EPOCHS} epochs, {VIEWS} stored views; on photos that "]
    notes[0] += "judge no policy: synthetic vehicles, and a quarter of the real training photos."
    write_table(pd.DataFrame(rows), "heads", notes)


if __name__ == "__main__":
    main()
