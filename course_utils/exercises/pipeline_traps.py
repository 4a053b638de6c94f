"""The questions of exercise 04 about what happens to photos on their way to the model.

Each hands photos with known patterns to the student's function, goes through what comes back for
some epochs, and looks which photo arrived when, mirrored or not. Longer than 350 lines because four
questions share this way of looking.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.exercises.framework import distributions, probes
from course_utils.exercises.framework.matches import Matches, make_photos
from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import Misread, quote, quote_error

COUNT = 48  # photos that a function gets, sorted by class
EPOCHS = 4  # how often training photos are gone through
MOST = 4 * COUNT  # images that an epoch may have
SHAPE = (probes.SIDE, probes.SIDE, 3)


# --- going through data as fit does ----------------------------------------------------------


def _call(function: Any, name: str, *given: Any) -> Any:
    """Calls the student's function."""
    if not callable(function):
        raise Misread(f"Expected the function `{name}`, received {quote(function)}.")
    try:
        return function(*given)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A student's code may even raise SystemExit.
        raise Misread(f"`{name}` failed on {COUNT} photos: {quote_error(error)}") from None


def _list_batches(data: Any) -> Iterable:
    """Returns the batches of an epoch, of whatever `fit` takes."""
    if isinstance(data, tuple | list) and len(data) == 2 and np.ndim(data[0]) == 4:
        return [data]
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return (data[place] for place in range(len(data)))
    return data


def _read_epoch(data: Any, what: str) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Goes through an epoch: its images, their labels, and how many images each batch has."""
    images, labels, sizes = [], [], []
    try:
        for batch in _list_batches(data):
            pair = [np.array(part, dtype="float32") for part in batch]
            if len(pair) != 2 or pair[0].ndim != 4:
                raise Misread(
                    f"Expected batches (images, labels) from {what}, images of shape (count, 128, "
                    f"128, 3); received shapes {quote([part.shape for part in pair[:3]])}. Is "
                    "there a `batch`?"
                )
            if pair[0].shape[1:] != SHAPE or pair[1].size != len(pair[0]):
                raise Misread(
                    f"Expected as many labels as images of 128 × 128 from {what}, received shapes "
                    f"{pair[0].shape} and {pair[1].shape}."
                )
            images.append(pair[0])
            labels.append(pair[1].reshape(-1))
            sizes.append(len(pair[0]))
            if sum(sizes) > MOST:
                raise Misread(
                    f"More than {MOST} images came from {what} in one epoch, made of {COUNT} "
                    "photos. `fit` starts each epoch by itself: leave `repeat` out."
                )
        if hasattr(data, "on_epoch_end"):
            data.on_epoch_end()
    except (Misread, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise Misread(f"Going through {what} failed: {quote_error(error)}") from None
    if not images:
        raise Misread(f"Nothing came from {what}.")
    return np.concatenate(images), np.concatenate(labels), sizes


def _pack_epochs(epochs: list, name: str) -> dict[str, Any]:
    """Returns what came in some epochs as plain arrays and numbers."""
    return {
        f"{name}_images": np.concatenate([each[0] for each in epochs]),
        f"{name}_labels": np.concatenate([each[1] for each in epochs]),
        f"{name}_sizes": [[int(size) for size in each[2]] for each in epochs],
    }


@dataclass(frozen=True)
class _Epoch:
    """What came in an epoch, image by image: which photo it is and what became of it."""

    matches: Matches
    labels: np.ndarray
    batches: list[slice]


def _read_epochs(observed: Mapping[str, Any], name: str) -> list[_Epoch]:
    """Reads what `_pack_epochs` returned.

    Raises:
        Misread: If these are no such arrays.
    """
    images = np.asarray(observed[f"{name}_images"], "float32")
    labels = np.asarray(observed[f"{name}_labels"], "float32")
    sizes = [[int(size) for size in epoch] for epoch in observed[f"{name}_sizes"]]
    counts = [sum(epoch) for epoch in sizes]
    if images.shape != (sum(counts), *SHAPE) or labels.shape != (sum(counts),):
        raise Misread("Expected images and labels by epochs, received arrays of other shapes.")
    if min(counts) < 1 or min(map(min, sizes)) < 0:
        raise Misread("Expected images in every epoch, received none.")
    photos, _ = make_photos(int(observed["probe_seed"]), COUNT)
    images = np.nan_to_num(images, nan=-1, posinf=2, neginf=-1)
    epochs, begin = [], 0
    for count, batches in zip(counts, sizes, strict=True):
        ends = np.cumsum(batches)
        epochs.append(
            _Epoch(
                Matches(images[begin : begin + count], photos),
                labels[begin : begin + count],
                [slice(end - size, end) for size, end in zip(batches, ends, strict=True)],
            )
        )
        begin += count
    return epochs


def _judge_labels(epochs: list[_Epoch], probe_seed: int) -> str | None:
    _, labels = make_photos(probe_seed, COUNT)
    if any(not np.array_equal(labels[each.matches.photo, 0], each.labels) for each in epochs):
        return "Some images have the label of another photo: keep each photo with its label."
    return None


def _judge_every_photo(epochs: list[_Epoch], probe_seed: int) -> str | None:
    """What is wrong if each epoch has to show each photo once, as it is or mirrored."""
    if not all(each.matches.plain.all() for each in epochs):
        return (
            "Some images are changed in another way than mirrored left to right. Leave out what "
            "the task does not ask for."
        )
    for each in epochs:
        times = np.bincount(each.matches.photo, minlength=COUNT)
        if times.max() > 1:
            return "Some photos come more than once in an epoch. Show each photo once."
        if times.min() == 0:
            return f"{(times == 0).sum()} of {COUNT} photos do not come in an epoch."
    return _judge_labels(epochs, probe_seed)


def _judge_mirrored(epochs: list[_Epoch], repeated: str) -> str | None:
    """What is wrong with the random draws if each epoch shows each photo once.

    Args:
        epochs: What came.
        repeated: What to say if every epoch shows the same views.
    """
    by_place = np.array([each.matches.mirrored for each in epochs])
    order = np.array([each.matches.photo for each in epochs])
    by_photo = np.take_along_axis(by_place, order.argsort(axis=1), axis=1)
    if not by_photo.any():
        return "No photo is mirrored in any epoch. Mirror half of them, at random."
    if by_photo.all():
        return "Every photo is mirrored in every epoch. Mirror half of them, at random."
    if (by_photo == by_photo[0]).all():
        return repeated
    if (by_place == by_place[0]).all():
        return (
            "The photos come in another order, but the draws are the same in every epoch: the "
            "same places are mirrored. Make new draws in each epoch."
        )
    batches = [
        each.matches.mirrored[batch]
        for each in epochs
        for batch in each.batches
        if batch.stop - batch.start > 1
    ]
    if batches and all((batch == batch[0]).all() for batch in batches):
        return (
            "All photos of a batch are mirrored together. Make a random draw for each photo, not "
            "one for the batch."
        )
    hits, count = int(by_photo.sum()), by_photo.size
    if not distributions.fits_fraction(hits, count, 0.5):
        return f"{hits / count:.0%} of the views are mirrored. Half of them should be."
    if not (distributions.vary_alike(by_photo) and distributions.vary_alike(by_place)):
        return (
            "Half of the views are mirrored, but not at random: some photos, some places or some "
            "epochs are mirrored more often. Draw for each photo in each epoch."
        )
    return None


# --- q1: augmentation before cache -----------------------------------------------------------


def _make_source(probe_seed: int, count_read: Callable[[], None]):
    """Returns the photos and labels as a `tf.data.Dataset` that reports each photo it reads."""
    from course_utils.core.backend import import_tensorflow

    tf = import_tensorflow()
    photos, labels = make_photos(probe_seed, COUNT)

    def read():
        for photo, label in zip(photos, labels, strict=True):
            count_read()
            yield photo, label

    signature = (tf.TensorSpec(SHAPE, tf.float32), tf.TensorSpec((1,), tf.float32))
    return tf.data.Dataset.from_generator(read, output_signature=signature)


def _observe_cached(pipeline, *, probe_seed: int) -> dict[str, Any]:
    reads = []
    source = _make_source(probe_seed, lambda: reads.append(1))
    data = _call(pipeline, "pipeline", source)
    epochs = [_read_epoch(data, "what `pipeline` returns") for _ in range(EPOCHS)]
    return {"probe_seed": probe_seed, "reads": len(reads), **_pack_epochs(epochs, "train")}


def _judge_cached(observed: Mapping[str, Any]) -> str | None:
    epochs = _read_epochs(observed, "train")
    mistake = _judge_every_photo(epochs, int(observed["probe_seed"])) or _judge_mirrored(
        epochs,
        "Every epoch shows the same views: what is mirrored in the first stays mirrored, what is "
        "not never will be. What exactly does `cache` keep?",
    )
    if mistake:
        return mistake
    reads = int(observed["reads"])
    if reads > 2 * COUNT:
        return (
            f"The views are new in each epoch, but {reads / COUNT:.0f} epochs read each photo "
            f"{reads / COUNT:.0f} times. Keep `cache`, at a place where it does no harm."
        )
    return None


Q1 = Question(
    name="q1",
    title="Every epoch the same",
    aim="place `cache` before what is random, and see from views when it is not",
    lesson="10",
    observe=_observe_cached,
    judge=_judge_cached,
    sampled=True,
    praise="Each photo is read once, and each epoch mirrors others.",
    hints=(
        "`cache` keeps whatever reaches it in the first epoch. What reaches it here?",
        "What costs time and is always the same belongs before `cache`, what is random after it.",
        "Call `cache` first, on `data` itself; then `map`, then `batch`.",
    ),
    explanation="`cache` stores what the step before it gives in the first epoch, and gives that "
    "in every later one: after a random step, it stores one draw of it. So reading and decoding go "
    "before `cache`, augmentation after it. Without `cache` the views would be new as well, but "
    "every epoch would read and decode every file again. `shuffle` hides the mistake, since the "
    "same views then come in another order.",
    code="""def pipeline(data):
    data = data.cache()
    data = data.map(lambda photo, label: (flip(photo, training=True), label))
    return data.batch(16)""",
    misconceptions=("made once",),
)


# --- q2: a global seed and tf.random ---------------------------------------------------------


def _observe_seeded(seeded_pipeline, *, probe_seed: int) -> dict[str, Any]:
    import keras

    source = _make_source(probe_seed, lambda: None)
    # As a script does at its top, with another seed in each look.
    keras.utils.set_random_seed(probe_seed % 2**31)
    data = _call(seeded_pipeline, "seeded_pipeline", source)
    epochs = [_read_epoch(data, "what `seeded_pipeline` returns") for _ in range(EPOCHS)]
    return {"probe_seed": probe_seed, **_pack_epochs(epochs, "train")}


def _judge_seeded(observed: Mapping[str, Any]) -> str | None:
    epochs = _read_epochs(observed, "train")
    return _judge_every_photo(epochs, int(observed["probe_seed"])) or _judge_mirrored(
        epochs,
        "Every epoch shows the same views. If nothing is cached after the draw: with a seed, where "
        "does `tf.random` begin again?",
    )


Q2 = Question(
    name="q2",
    title="A seed that repeats too much",
    aim="keep a run repeatable without repeating its epochs",
    lesson="10",
    observe=_observe_seeded,
    judge=_judge_seeded,
    sampled=True,
    praise="The seed is set, and still each epoch draws again.",
    hints=(
        "The seed makes the second run like the first. Here it also makes the second epoch like "
        "the first.",
        "Operations of `tf.random` in `map` begin again with each pass over the data if a global "
        "seed is set. What keeps its state from one pass to the next?",
        "A Keras layer such as `RandomFlip` has a state of its own, and so has "
        "`tf.random.Generator`. Make it outside of the function that `map` calls.",
    ),
    explanation="With a global seed, an operation of `tf.random` in `map` gets a fixed seed, and "
    "each pass over the data begins its sequence again: so each epoch draws the same. A Keras "
    "layer keeps the state of its draws in a variable, which goes on from epoch to epoch and is "
    "still set by the seed; `tf.random.Generator` does so as well. Another seed, or one for each "
    "operation, changes what is repeated and not that it is. NumPy's draws in `map` are worse: "
    "they are made once, when TensorFlow reads the function.",
    code="""mirror = layers.RandomFlip("horizontal", seed=31415)


def seeded_pipeline(data):
    data = data.cache()
    data = data.map(lambda photo, label: (mirror(photo, training=True), label))
    return data.batch(16)""",
    misconceptions=("made once",),
)


# --- q5: a generator that augments its validation part ---------------------------------------


def _observe_flows(make_flows, *, probe_seed: int) -> dict[str, Any]:
    photos, labels = make_photos(probe_seed, COUNT)
    order = np.random.default_rng(probe_seed).permutation(COUNT)
    made = _call(make_flows, "make_flows", photos[order], labels[order])
    return {"probe_seed": probe_seed, **_observe_both(made, "make_flows")}


def _observe_both(made: Any, name: str) -> dict[str, Any]:
    """Goes through training and validation data by turns, as `fit` does."""
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise Misread(
            f"Expected `{name}` to return two things, train and valid, received {quote(made)}."
        )
    train, valid = [], []
    for _ in range(EPOCHS):
        train.append(_read_epoch(made[0], "train"))
        valid.append(_read_epoch(made[1], "valid"))
    # Validation data is small; three epochs show whether it changes.
    return {**_pack_epochs(train, "train"), **_pack_epochs(valid[:3], "valid")}


def _photos_of(epochs: list[_Epoch]) -> set[int]:
    return {int(photo) for each in epochs for photo in each.matches.photo}


def _judge_parts(train: list[_Epoch], valid: list[_Epoch], probe_seed: int) -> str | None:
    """What is wrong with two parts that share no photo, beside what each question asks."""
    if not all(each.matches.plain.all() for each in train + valid):
        return (
            "Some images are changed in another way than mirrored left to right. Leave out what "
            "the task does not ask for."
        )
    lost = COUNT - len(_photos_of(train) | _photos_of(valid))
    if lost:
        return f"{lost} of {COUNT} photos are in neither part."
    fraction = len(_photos_of(valid)) / COUNT
    if not 0.15 <= fraction <= 0.35:
        return f"{fraction:.0%} of the photos are validation photos; the task asks for a quarter."
    return _judge_labels(train + valid, probe_seed)


def _judge_flows(observed: Mapping[str, Any]) -> str | None:
    train, valid = _read_epochs(observed, "train"), _read_epochs(observed, "valid")
    mirrored = any(each.matches.mirrored.any() for each in train)
    both = _photos_of(train) & _photos_of(valid)
    if both:
        return (
            f"{len(both)} of {COUNT} photos are in both parts. Split once, and take each part "
            "from the same split."
        )
    if any(each.matches.mirrored.any() for each in valid):
        return (
            "Validation photos are mirrored as well, by new draws in each epoch. The generator "
            "treats both of its parts alike: which of its settings may valid have?"
        )
    if not mirrored:
        return (
            "Validation photos stay as they are now, but training photos too: nothing is mirrored "
            "any more."
        )
    if mistake := _judge_parts(train, valid, int(observed["probe_seed"])):
        return mistake
    if any(len(each.labels) != len(set(each.matches.photo.tolist())) for each in valid):
        return "Some validation photos come twice in an epoch. Each should count once."
    views = [(each.matches.photo, each.matches.mirrored) for each in train]
    hits, count = sum(int(flags.sum()) for _, flags in views), sum(len(f) for _, f in views)
    if not distributions.fits_fraction(hits, count, 0.5):
        return f"{hits / count:.0%} of the training views are mirrored. Half of them should be."
    sets = {frozenset(zip(p.tolist(), f.tolist(), strict=True)) for p, f in views}
    if len(sets) == 1:
        return "Every epoch shows the same training views. Make new draws in each epoch."
    return None


Q5 = Question(
    name="q5",
    title="Validation photos that keep changing",
    aim="see that a split inside of a generator augments both parts, and separate them",
    lesson="02",
    observe=_observe_flows,
    judge=_judge_flows,
    sampled=True,
    praise="Training photos are mirrored by new draws, validation photos stay as they are, and "
    "none is in both parts.",
    hints=(
        "Go through `valid` twice. Is it the same both times?",
        "`validation_split` decides which photos a part has, not what happens to them.",
        "Make two generators with the same `validation_split`: one that mirrors, for "
        "`subset='training'`, and one that does not, for `subset='validation'`.",
    ),
    explanation="A generator does the same with both of its subsets. So validation photos are "
    "changed at random, the validation accuracy wobbles from epoch to epoch, and it is measured on "
    "photos that nobody took. Two generators with the same `validation_split` take the same photos "
    "for each subset, since `flow` splits by position; only the one for training mirrors. With two "
    "different fractions, some photos would be in both parts. Layers in the model avoid all this: "
    "they are off in validation.",
    code="""def make_flows(photos, labels):
    augmenting = ImageDataGenerator(horizontal_flip=True, validation_split=0.25)
    plain = ImageDataGenerator(validation_split=0.25)
    train = augmenting.flow(photos, labels, batch_size=16, subset="training")
    valid = plain.flow(photos, labels, batch_size=16, subset="validation")
    return train, valid""",
    misconceptions=("predict augments too",),
)


# --- q6: augment, then split -----------------------------------------------------------------


def _observe_split(split, *, probe_seed: int) -> dict[str, Any]:
    made = _call(split, "split", _make_source(probe_seed, lambda: None))
    return {"probe_seed": probe_seed, **_observe_both(made, "split")}


def _judge_split(observed: Mapping[str, Any]) -> str | None:
    train, valid = _read_epochs(observed, "train"), _read_epochs(observed, "valid")
    both = _photos_of(train) & _photos_of(valid)
    moved = any(each.matches.mirrored.any() for each in valid)
    if both and moved:
        return (
            f"{len(both)} of {COUNT} photos are in both parts, as themselves or as mirrored "
            "copies. Which has to come first, the split or the copies?"
        )
    if any(_photos_of([each]) != _photos_of(valid[:1]) for each in valid):
        return (
            "In each epoch other photos are validation photos, so the model is soon trained on "
            "all of them. `shuffle` makes a new order in each epoch, unless told not to."
        )
    if both:
        return f"{len(both)} of {COUNT} photos are in both parts. Each belongs to one of them."
    if moved:
        return (
            "No photo is in both parts any more, but validation photos are mirrored too. Leave "
            "them as the camera took them."
        )
    if not any(each.matches.mirrored.any() for each in train):
        return "No photo is in both parts, but no training photo is mirrored either."
    if mistake := _judge_parts(train, valid, int(observed["probe_seed"])):
        return mistake
    if any(_photos_of([each]) != _photos_of(train[:1]) for each in train):
        return "Some training photos do not come in every epoch."
    if any(len(set(each.labels)) < 2 for each in (train[0], valid[0])):
        return (
            "One of the parts holds a single class: the photos come sorted by class. Shuffle "
            "before you split."
        )
    return None


Q6 = Question(
    name="q6",
    title="Old acquaintances",
    aim="split before augmenting, and keep the split the same in every epoch",
    lesson="06",
    observe=_observe_split,
    judge=_judge_split,
    sampled=True,
    praise="Over all epochs no photo was in both parts, and validation photos stayed as they are.",
    hints=(
        "Follow one photo and its mirrored copy. Where may each of them end up?",
        "Then go through `valid` twice. Are these the same photos? See `reshuffle_each_iteration`.",
        "Shuffle with `reshuffle_each_iteration=False`, take and skip, then `map` the training "
        "part only.",
    ),
    explanation="There are two leaks. Copies made before the split put a photo into one part and "
    "its mirror image into the other. And `shuffle` makes a new order in each epoch, so `take` and "
    "`skip` give other photos each time: after some epochs the model has been trained on every "
    "validation photo. A seed does not help, since the order still changes from epoch to epoch; "
    "`reshuffle_each_iteration=False` does, and so does `keras.utils.split_dataset`.",
    code="""def split(data):
    data = data.shuffle(48, seed=1, reshuffle_each_iteration=False)
    valid, train = data.take(12), data.skip(12)
    train = train.map(lambda photo, label: (flip(photo, training=True), label))
    return train.batch(16), valid.batch(16)""",
    misconceptions=("augment then split",),
)
