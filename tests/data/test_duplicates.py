"""Near-duplicates are grouped, and no other photos."""

import io

import numpy as np
from PIL import Image

from course_utils.data.dataset import splits_from_arrays
from course_utils.data.duplicates import group_near_duplicates
from course_utils.data.synthetic.dataset import make_synthetic_vehicles


def save_again(image):
    """The photo after JPEG at a low quality and a scaling there and back."""
    stored = io.BytesIO()
    picture = Image.fromarray((image * 255).astype(np.uint8))
    picture.resize((100, 100)).resize((128, 128)).save(stored, "JPEG", quality=60)
    return np.asarray(Image.open(stored), "float32") / 255


def group(images):
    labels = np.float32([[number % 2] for number in range(len(images))])
    splits = splits_from_arrays(
        (images[:2], labels[:2]), (images, labels), class_names=("a", "b"), source="Test."
    )
    return group_near_duplicates(splits.valid)


def test_a_photo_saved_again_is_a_near_duplicate_and_other_vehicles_are_not():
    images, _, _ = make_synthetic_vehicles(60, seed=3)
    found = group(np.concatenate([images, [save_again(image) for image in images[:10]]]))
    assert (found[60:] == found[:10]).all()
    assert len(np.unique(found)) == 60


def test_near_duplicates_of_near_duplicates_count_and_gray_photos_are_like_no_other():
    random = np.random.default_rng(0)
    first = random.random((32, 32, 3))
    steps = [np.clip(first + shift * random.random(first.shape), 0, 1) for shift in (0, 0.05, 0.1)]
    gray = np.full((32, 32, 3), 0.5)
    found = group(np.stack([*steps, gray, gray + 0.2]).astype("float32"))
    assert len(np.unique(found[:3])) == 1
    assert len(np.unique(found)) == 3
