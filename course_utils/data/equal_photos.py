"""Photos with equal pixels where there should be none: in both splits, or in both classes."""

from typing import Any

from course_utils.core.files import readable_name

NAMED = 3  # photos that a sentence names


def describe_equal_photos(splits: dict[str, Any], class_names: tuple[str, str]) -> list[str]:
    """Returns a sentence for each of the two faults that is there.

    Args:
        splits: `Photos` by split, train and valid.
        class_names: What the labels 0 and 1 mean.

    Example:
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> keys, labels = np.array([7, 8], "uint64"), np.array([[0.0], [1.0]])
        >>> train = SimpleNamespace(keys=keys, labels=labels, names=["a", "b"])
        >>> valid = SimpleNamespace(keys=keys[1:], labels=labels[1:], names=["c"])
        >>> describe_equal_photos({"train": train, "valid": valid}, ("Car", "Truck"))
        ['Expected no photo in both train and valid, received 1: c equals b. Take them out of one \
of the two, or the validation accuracy will be too high.']
    """
    train, valid = splits["train"], splits["valid"]
    first = dict(zip(train.keys.tolist(), train.names, strict=True))
    in_both_splits = [
        (name, first[key])
        for key, name in zip(valid.keys.tolist(), valid.names, strict=True)
        if key in first
    ]
    first, in_both_classes = {}, []
    for photos in (train, valid):
        labels = photos.labels[:, 0].tolist()
        for key, name, label in zip(photos.keys.tolist(), photos.names, labels, strict=True):
            first_name, first_label = first.setdefault(key, (name, label))
            if label != first_label:
                in_both_classes.append((name, first_name))
    sentences = []
    if in_both_splits:
        sentences.append(
            f"Expected no photo in both train and valid, received {_name_pairs(in_both_splits)}. "
            "Take them out of one of the two, or the validation accuracy will be too high."
        )
    if in_both_classes:
        sentences.append(
            f"Expected no photo in both {' and '.join(map(readable_name, class_names))}, received "
            f"{_name_pairs(in_both_classes)}. Take them out of the class that is wrong: no model "
            "can learn two labels for the same photo."
        )
    return sentences


def _name_pairs(pairs: list[tuple[str, str]]) -> str:
    named = [f"{readable_name(name)} equals {readable_name(other)}" for name, other in pairs]
    more = f" and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
    return f"{len(pairs)}: {', '.join(named[:NAMED])}{more}"
