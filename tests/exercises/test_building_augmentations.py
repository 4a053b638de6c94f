"""Exercise 02: right answers pass whatever way they take, each mistake hears its own sentence."""

import pytest
from exercise_answers import AnswerTests, run_notebook

from course_utils.exercises.building_augmentations import QUESTIONS

pytestmark = pytest.mark.slow

GRADED = [question for question in QUESTIONS if question.observe]

RIGHT = {
    "q1": [
        "augmentation = cu.Augmentation(flip='horizontal', contrast=0.3)",
        """augmentation = keras.Sequential([
    layers.RandomContrast((0.3, 0.3), value_range=(0, 1)), layers.RandomFlip('horizontal')])""",
        """def augmentation(images, training):
    if not training:
        return images
    random = np.random.default_rng()
    images = np.asarray(images)
    images = np.where(random.random((len(images), 1, 1, 1)) < 0.5, images[:, :, ::-1], images)
    mean = images.mean(axis=(1, 2), keepdims=True)
    factor = random.uniform(0.7, 1.3, (len(images), 1, 1, 1))
    return ((images - mean) * factor + mean).clip(0, 1)""",
        """inputs = keras.Input((128, 128, 3))
augmentation = keras.Model(inputs, layers.RandomContrast((0.3, 0.3), value_range=(0, 1))(
    layers.RandomFlip('horizontal')(inputs)))""",
        """import tensorflow as tf
def augmentation(images, is_training):
    if not is_training:
        return images
    def one(image):
        image = tf.image.random_flip_left_right(image)
        return tf.clip_by_value(tf.image.random_contrast(image, 0.7, 1.3), 0, 1)
    return tf.map_fn(one, images)""",
    ],
    "q2": [
        "wrong = ['contrast']\nfixed = cu.Augmentation(contrast=0.5)",
        "wrong = 'RandomContrast'\nfixed = cu.Augmentation(contrast=0.5)",
        "wrong = 'the contrast layer'\nfixed = [cu.Augmentation(contrast=0.5)]",
        "wrong = suspects['contrast']\n"
        "fixed = [layers.RandomContrast((0.5, 0.5), value_range=(0, 1), seed=3)]",
        """wrong = 'Contrast'
fixed = keras.Sequential([
    layers.Rescaling(255), layers.RandomContrast((0.5, 0.5)), layers.Rescaling(1 / 255)])""",
    ],
    "q3": [
        "mystery = cu.Augmentation(rotation=25, brightness=0.25, grayscale=0.4)",
        """mystery = [
    layers.RandomGrayscale(0.5), layers.RandomBrightness(0.3, value_range=(0, 1)),
    layers.RandomRotation(0.09, fill_mode='constant')]""",
        "mystery = cu.Augmentation(rotation=35, brightness=0.2, grayscale=0.6)",
    ],
    "q4": [
        "augmented = 'A'\ngap_a, gap_b = '0.132', '0.188'",
        "augmented = ['A']\ngap_a, gap_b = [runs[n]['gap'].tail(1) for n in 'AB']",
        "augmented = 'a'\ngap_a, gap_b = [runs[n]['gap'].iloc[-1] for n in 'AB']",
        "augmented = 'run A'\ngap_a, gap_b = [round(runs[n]['gap'].iloc[-1], 3) for n in 'AB']",
        "augmented = 'A'\ngap_a, gap_b = [\n"
        "    float((runs[n].val_loss - runs[n].clean_loss)[30]) for n in 'AB']",
    ],
    "q5": [
        "front = layers.RandomFlip('horizontal')",
        "front = [cu.Augmentation(flip='horizontal')]",
        """class Mended(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.flip = layers.RandomFlip('horizontal')
    def call(self, images, training=False):
        return self.flip(images, training=True) if training else images
front = keras.Sequential([Mended()])""",
    ],
    "q7": [
        """def prepare(photos, labels):
    valid = np.random.default_rng(3).random(len(photos)) < 0.25
    train = ~valid
    both = np.concatenate([photos[train], np.flip(photos[train], axis=2)])
    return (both, np.tile(labels[train], (2, 1))), (photos[valid], labels[valid])""",
        """def prepare(photos, labels):
    train, valid = np.arange(len(photos)) % 4 != 0, np.arange(len(photos)) % 4 == 0
    mirrored = photos[train][:, :, ::-1]
    order = np.random.default_rng(0).permutation(2 * train.sum())
    images = np.concatenate([photos[train], mirrored])[order]
    targets = np.concatenate([labels[train]] * 2)[order]
    return [(images, targets), (photos[valid], labels[valid])]""",
        """def prepare(photos, labels):
    from sklearn.model_selection import train_test_split
    a, b, la, lb = train_test_split(photos, labels, test_size=0.3, stratify=labels, random_state=1)
    flipped = np.asarray(layers.RandomFlip('horizontal', seed=1)(a, training=True))
    return (np.concatenate([a, flipped]), np.concatenate([la, la])), (b, lb)""",
        """def prepare(photos, labels):
    order = np.random.default_rng(2).permutation(len(photos))
    valid, train = order[:12], order[12:]
    more = np.clip((photos[train] - 0.5) * 1.4 + 0.5, 0, 1)
    images = np.concatenate([photos[train], photos[train][:, :, ::-1], more])
    return (images, np.tile(labels[train], (3, 1))), (photos[valid], labels[valid])""",
    ],
}
FLIP = "layers.RandomFlip('horizontal')"
CONTRAST = "layers.RandomContrast((0.3, 0.3), value_range=(0, 1))"
PREPARE = """def prepare(photos, labels):
    order = np.random.default_rng(1).permutation(len(photos))
    photos, labels = photos[order], labels[order]
    train, valid = slice({cut}, None), slice(0, {cut})
    return {returned}"""
WRONG = {
    "q1": [
        (f"augmentation = [layers.RandomFlip('vertical'), {CONTRAST}]", "upside down"),
        ("""def augmentation(images, training):
    if training:
        for image in images:
            if np.random.random() < 0.5:
                image[:] = image[:, ::-1].copy()
    return images""", "Work on a copy"),
        (f"augmentation = [{FLIP}, layers.RandomContrast(0.3, value_range=(0, 1))]", "only ever r"),
        (f"augmentation = [{FLIP}, layers.RandomContrast((0.3, 0.3))]", "leave [0, 1]"),
        (f"augmentation = [{FLIP}, {CONTRAST}, layers.RandomRotation(0.1)]", "turned"),
        (f"augmentation = [{CONTRAST}]", "No view is mirrored"),
        (f"augmentation = [{FLIP}]", "never varies"),
        ("augmentation = cu.Augmentation(flip='horizontal', contrast=0.5)", "too much"),
        ("augmentation = cu.Augmentation(flip='horizontal', contrast=0.15)", "too little"),
        ("augmentation = cu.Augmentation(flip='horizontal', contrast=0.3, hue=30)", "colors"),
        ("augmentation = cu.Augmentation(flip='horizontal', brightness=0.2)", "brightness of"),
        ("augmentation = cu.Augmentation(flip='horizontal', contrast=0.3, noise=0.1)", "explains"),
        ("flip = cu.Augmentation(flip='horizontal', contrast=0.3).layers(1)\n"
         "def augmentation(images):\n"
         "    for layer in flip:\n        images = layer(images, training=True)\n"
         "    return images", "With `training=False`"),
        ("def augmentation(images, training):\n"
         "    made = cu.Augmentation(flip='horizontal', contrast=0.3).layers(1)\n"
         "    for layer in made:\n        images = layer(images, training=training)\n"
         "    return images", "came back twice"),
        ("augmentation = cu.Augmentation(flip='horizontal', contrast=0.25)", "too little"),
        ("augmentation = cu.Augmentation(flip='horizontal', contrast=0.3, brightness=0.025)",
         "brightness of some"),
        (f"augmentation = [{FLIP}, {CONTRAST}, layers.RandomRotation(0.005)]", "up to 1.8"),
        ("augmentation = [layers.RandomFlip('horizontal', seed=3),\n"
         "    layers.RandomContrast((0.3, 0.3), value_range=(0, 1), seed=3)]", "same random draw"),
        (f"augmentation = [layers.RandomFlip(), {CONTRAST}]", "flips both ways"),
        ("def augmentation(images, training):\n"
         "    if not training:\n        return images\n"
         "    n, mean = len(images), images.mean((1, 2), keepdims=True)\n"
         "    factor = np.random.choice([0.7, 1.3], (n, 1, 1, 1))\n"
         "    flip = np.random.random((n, 1, 1, 1)) < 0.5\n"
         "    images = np.where(flip, images[:, :, ::-1], images)\n"
         "    return np.clip((images - mean) * factor + mean, 0, 1)", "more likely than others"),
        ("def augmentation(images, training):\n"
         "    if not training:\n        return images\n"
         "    n, mean = len(images), images.mean((1, 2, 3), keepdims=True)\n"
         "    factor = np.random.uniform(0.7, 1.3, (n, 1, 1, 1))\n"
         "    flip = np.random.random((n, 1, 1, 1)) < 0.5\n"
         "    images = np.where(flip, images[:, :, ::-1], images)\n"
         "    return np.clip((images - mean) * factor + mean, 0, 1)", "each color channel"),
        ("import tensorflow as tf\n"
         "def augmentation(images, training):\n"
         "    if not training:\n        return images\n"
         "    images = tf.image.random_flip_left_right(images)\n"
         "    return tf.clip_by_value(tf.image.random_contrast(images, 0.7, 1.3), 0, 1)",
         "one for the batch"),
        ("def augmentation(images, training):\n    raise SystemExit", "SystemExit"),
        ("augmentation = lambda images, training: images * np.nan", "NaN"),
        ("augmentation = []", "No view is mirrored"),
        ("def augmentation(images, training):\n"
         "    if not training:\n        return images\n"
         "    factor, mean = np.random.uniform(0.7, 1.3), images.mean((1, 2), keepdims=True)\n"
         "    return np.clip((images - mean) * factor + mean, 0, 1)", "same contrast together"),
        ("augmentation = 'RandomFlip, RandomContrast'", "received 'RandomFlip"),
        ("augmentation = layers.RandomFlip", "Call it with its arguments"),
        ("def augmentation(images, training):\n    images[:, :, ::-1]", "`return`"),
        ("def augmentation(images, training):\n    return images / 0.0 + undefined", "NameError"),
        ("def augmentation(images, training):\n    return images[:, :8]", "of shape"),
    ],
    "q2": [
        ("wrong = 'flip'\nfixed = layers.RandomFlip()", "only moves pixels"),
        ("wrong = 'rotation'\nfixed = layers.RandomRotation(0.1)", "corners"),
        ("wrong = 'brightness'\nfixed = layers.RandomBrightness(0.2)", "adds to every"),
        ("wrong = 'saturation'\nfixed = cu.Augmentation(saturation=0.2)", "good deal"),
        ("wrong = 'contrast'\nfixed = layers.RandomContrast((0.5, 0.5))", "still gives pixels"),
        ("wrong = 'contrast'\nfixed = []", "no longer varies"),
        ("wrong = 'contrast'\nfixed = layers.RandomContrast((.2, .2), value_range=(0, 1))",
         "another strength"),
        ("wrong = 'contrast'\nfixed = cu.Augmentation(contrast=0.5, rotation=10)", "nothing else"),
        ("wrong = 'hue'\nfixed = layers.RandomHue(0.1)", "one of"),
        ("wrong = 'contrast'\nfixed = layers.Rescaling(1 / 255)", "longer varies the contrast"),
        ("wrong = 3\nfixed = layers.RandomHue(0.1)", "Write it in quotes"),
        ("wrong = 'contrast'\nfixed = ...", "still blank"),
    ],
    "q3": [
        ("mystery = cu.Augmentation(brightness=0.3, grayscale=0.5)", "horizon"),
        ("mystery = cu.Augmentation(rotation=30, brightness=0.3)", "None of your views is gray"),
        ("mystery = cu.Augmentation(rotation=30, grayscale=0.5)", "as bright as the photo"),
        ("mystery = cu.Augmentation(rotation=90, brightness=0.3, grayscale=0.5)", "tilted less"),
        ("mystery = cu.Augmentation(rotation=8, brightness=0.3, grayscale=0.5)", "further"),
        ("mystery = cu.Augmentation(rotation=30, brightness=0.3, grayscale=1)", "are gray. Count"),
        ("mystery = cu.Augmentation(rotation=30, contrast=0.4, grayscale=0.5)", "contrast varies"),
        ("mystery = cu.Augmentation(rotation=30, brightness=.3, grayscale=.5, flip='horizontal')",
         "face the other way"),
        ("mystery = cu.Augmentation(rotation=30, brightness=0.7, grayscale=0.5)", "darker and b"),
        ("mystery = cu.Augmentation(rotation=30, brightness=.3, grayscale=.5, translation=.2)",
         "moved"),
        ("mystery = cu.Augmentation(rotation=30, brightness=.3, grayscale=.5, hue=90)",
         "turn into others"),
        ("mystery = cu.Augmentation(rotation=30, brightness=0.3, grayscale=0.5, zoom=0.1)",
         "keeps its size"),
        ("mystery = [layers.RandomRotation(1 / 12), layers.RandomGrayscale(0.5),\n"
         "    layers.RandomBrightness(0.3, value_range=(0, 1))]", "corners"),
        ("mystery = cu.Augmentation(rotation=30, brightness=0.3, saturation=0.4)", "by degrees"),
        ("mystery = [cu.Augmentation(rotation=30, brightness=0.3, grayscale=0.5),\n"
         "    layers.RandomGaussianBlur((1, 1), 5, 1.0, value_range=(0, 1))]", "blurred"),
        ("mystery = {'rotation': 30}", "received {'rotation': 30}"),
        ("mystery = layers.RandomRotation(0.1), layers.RandomBrightness(0.3)", "leave [0, 1]"),
    ],
    "q4": [
        ("augmented, gap_a, gap_b = 'B', 0.1, 0.2", "B fits its training"),
        ("augmented, gap_a, gap_b = 'A', *[-runs[n].gap.iloc[-1] for n in 'AB']", "wrong sign"),
        ("augmented, gap_a, gap_b = 'A', *[runs[n].gap.iloc[-1] for n in 'BA']", "changed places"),
        ("augmented, gap_a, gap_b = 'A', *[runs[n].val_loss.iloc[-1] for n in 'AB']",
         "are validation losses alone"),
        ("augmented, gap_a, gap_b = 'A', *[(runs[n].clean_binary_accuracy\n"
         "    - runs[n].val_binary_accuracy).iloc[-1] for n in 'AB']", "gaps of accuracy"),
        ("augmented, gap_a, gap_b = 'A', 0.13, 0.19", "Give three decimals"),
        ("augmented, gap_a, gap_b = 'A', *[(runs[n].val_loss - runs[n].loss)[30] for n in 'AB']",
         "beside `val_loss`"),
        ("augmented, gap_a, gap_b = 'A', 0.5, 0.9", "not those of the last"),
        ("augmented, gap_a, gap_b = 'both', 0.1, 0.2", "out of 'A', 'B'"),
        ("augmented, gap_a, gap_b = 'A', 'small', 0.2", "finite number for `gap_a`"),
        ("augmented, gap_a, gap_b = 'A', float('nan'), 0.2", "finite number for `gap_a`"),
        ("augmented, gap_a, gap_b = 'A', ..., 0.2", "1 of 3"),
    ],
    "q5": [
        ("front = broken", "fixed seed does not help"),
        ("front = []", "training is too"),
        ("def front(images, training):\n    return images[:, :, ::-1]", "every photo is mirrored"),
        ("class Fixed(keras.layers.Layer):\n"
         "    def call(self, images, training=None):\n"
         "        flip = layers.RandomFlip('horizontal')\n"
         "        return flip(images, training=not training)\nfront = Fixed()", "wrong way round"),
        ("front = layers.RandomFlip('vertical')", "upside down"),
        ("front = layers.RandomFlip('horizontal'), layers.RandomRotation(0.2)", "are turned"),
        ("front = [layers.RandomFlip('horizontal'), cu.Augmentation(contrast=0.1)]",
         "contrast changes too"),
        ("front = layers.RandomFlip()", "flips both ways"),
        ("def front(images, training):\n"
         "    flip = training and np.random.random() < 0.5\n"
         "    return images[:, :, ::-1] if flip else images", "mirrored together"),
        ("front = Mirror", "Call it with its arguments"),
        ("def front(images, training):\n    return images[:, :, ::-1] if training else images",
         "Every view is mirrored"),
        ("front = 'training=training'", "received 'training=training'"),
        ("def front(images, training):\n    return images if training else images * 0.5",
         "another way"),
    ],
    "q7": [
        ("def prepare(photos, labels):\n"
         "    photos = np.concatenate([photos, photos[:, :, ::-1]])\n"
         "    labels = np.concatenate([labels, labels])\n"
         "    order = np.random.default_rng(1).permutation(len(photos))\n"
         "    photos, labels = photos[order], labels[order]\n"
         "    cut = len(photos) * 3 // 4\n"
         "    return (photos[:cut], labels[:cut]), (photos[cut:], labels[cut:])", "in both split"),
        (PREPARE.format(cut=12, returned="(photos[train], labels[train]), "
                        "(photos[valid], labels[valid])"), "no training photo is mirrored"),
        (PREPARE.format(cut=12, returned="tuple((np.concatenate([photos[s], photos[s][:, :, ::-1]]"
                        "), np.concatenate([labels[s]] * 2)) for s in (train, valid))"),
         "validation photos are changed too"),
        (PREPARE.format(cut=12, returned="(photos[train][:, :, ::-1], labels[train][::-1] * 1), "
                        "(photos[valid], labels[valid])"), "label of another photo"),
        ("def prepare(photos, labels):\n"
         "    train = np.concatenate([photos[:36], photos[:36, :, ::-1]])\n"
         "    return (train, np.tile(labels[:36], (2, 1))), (photos[36:], labels[36:])",
         "single class"),
        (PREPARE.format(cut=12, returned="(photos[train][:20, :, ::-1], labels[train][:20]), "
                        "(photos[valid], labels[valid])"), "got lost"),
        (PREPARE.format(cut=0, returned="(photos[train][:, :, ::-1], labels[train]), "
                        "(photos[valid], labels[valid])"), "too few"),
        (PREPARE.format(cut=36, returned="(np.concatenate([photos[train], "
                        "photos[train][:, :, ::-1]]), np.tile(labels[train], (2, 1))), "
                        "(photos[valid], labels[valid])"),
         "asks for a quarter"),
        (PREPARE.format(cut=12, returned="(photos[train][:, :, ::-1], labels[train]), "
                        "(photos[valid], labels[valid])"), "copies only"),
        (PREPARE.format(cut=12, returned="(np.concatenate([photos[train], photos[train][:, ::-1]])"
                        ", np.tile(labels[train], (2, 1))), (photos[valid], labels[valid])"),
         "upside down. To mirror"),
        (PREPARE.format(cut=12, returned="(np.concatenate([photos[train], photos[train] ** 0 / 2])"
                        ", np.tile(labels[train], (2, 1))), (photos[valid], labels[valid])"),
         "does not recognize"),
        (PREPARE.format(cut=12, returned="photos[train], labels[train]"), "of two pairs"),
        ("def prepare(photos, labels):\n    print(photos)", "received None"),
        ("def prepare(photos):\n    return photos", "TypeError"),
        ("prepare = 'split, then augment'", "Expected the function"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def untouched():
    return run_notebook("02", {})


class TestAnswers(AnswerTests):
    stem, graded, right, wrong = "02", GRADED, RIGHT, WRONG


def test_filled_with_solutions_every_check_passes():
    boxes, _ = run_notebook("02", {question.name: question.code for question in GRADED})
    assert {box.state for box in boxes.values()} == {"right"}, boxes


@pytest.mark.parametrize("number", range(5))
def test_filled_with_mistakes_no_check_passes(number):
    boxes, _ = run_notebook("02", {name: listed[number][0] for name, listed in WRONG.items()})
    assert not [box for box in boxes.values() if box.state in ("right", "not attempted")]
