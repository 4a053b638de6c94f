"""What the last lesson of the course starts from: a folder of pictures and a file of weights."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from course_utils.core import backend
from course_utils.core.files import atomic_folder
from course_utils.data.synthetic.dataset import make_synthetic_vehicles
from course_utils.models import vgg16

PICTURES, NEW_CAMERA, WEIGHTS = "pictures", "new-camera", "weights"
COUNTS = {PICTURES: 300, NEW_CAMERA: 100}
SIZE = (120, 160)  # (height, width) in pixels
SEED = 31415

# Keras's file name, and the address that it downloads from.
MOBILENET = "mobilenet_v3_small"
MOBILENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3/"
    "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
)


def write_project(folder: Path) -> list[str]:
    """Writes pictures of two classes and the weights of a base into a folder, for lesson 06.

    What exists is left as it is, so that a student's own `pictures` stay. Beside pictures of their
    own, no synthetic pictures from a new camera are written.

    Args:
        folder: The project's folder.

    Returns:
        A sentence for each folder in it.

    Raises:
        WeightsUnavailable: If the weights of no base can be found or downloaded.
        OSError: If the folder cannot be written.
    """
    said = []
    own = (folder / PICTURES).is_dir() and not (folder / NEW_CAMERA).is_dir()
    for name, make in ((PICTURES, _draw_pictures), (NEW_CAMERA, _draw_from_new_camera)):
        if (folder / name).is_dir():
            said.append(f"{name}: found {_count(folder / name)} pictures, left as they are.")
        elif own:
            said.append(
                f"{name}: missing. Put pictures from another camera or another day there, in one "
                "folder per class."
            )
        else:
            with atomic_folder(folder / name) as beside:
                make(beside)
            said.append(f"{name}: wrote {_count(folder / name)} synthetic pictures.")
    found = sorted(path.name for path in (folder / WEIGHTS).glob("*.weights.h5"))
    said.append(f"{WEIGHTS}: {found[0] if found else _write_weights(folder / WEIGHTS)}.")
    return said


def _count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.glob("*/*"))


def _draw_pictures(folder: Path) -> None:
    images, _, facts = make_synthetic_vehicles(
        COUNTS[PICTURES], seed=SEED, image_size=SIZE, light="day"
    )
    for number, (image, vehicle) in enumerate(zip(images, facts["type"], strict=True)):
        _save(Image.fromarray(_to_bytes(image)), folder, vehicle, number, quality=92)


def _draw_from_new_camera(folder: Path) -> None:
    """Draws vehicles at dusk as a cheap camera sees them: pale, noisy, soft and a little yellow."""
    images, _, facts = make_synthetic_vehicles(
        COUNTS[NEW_CAMERA], seed=SEED, image_size=SIZE, split="valid", light="dusk"
    )
    random = np.random.default_rng(SEED)
    for number, (image, vehicle) in enumerate(zip(images, facts["type"], strict=True)):
        pale = 0.5 + 0.7 * (image - 0.5)
        tinted = pale * np.float32([1.1, 1.0, 0.8]) * random.uniform(0.6, 1.0)
        noisy = tinted + random.normal(0, 0.08, image.shape)
        soft = Image.fromarray(_to_bytes(noisy)).filter(ImageFilter.GaussianBlur(1.2))
        _save(soft, folder, vehicle, number, quality=60)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def _save(picture: Image.Image, folder: Path, vehicle: str, number: int, *, quality: int) -> None:
    path = folder / vehicle.lower() / f"{number:03d}.jpg"
    path.parent.mkdir(exist_ok=True)
    picture.save(path, quality=quality)


def _write_weights(folder: Path) -> str:
    """Writes MobileNetV3's weights where they can be downloaded, otherwise VGG16's."""
    backend.import_tensorflow()
    import keras

    try:
        vgg16.check_answer(MOBILENET_URL, vgg16.KERAS_LIMIT)
        with vgg16.socket_limit(vgg16.KERAS_STALL):
            base = keras.applications.MobileNetV3Small(include_top=False, weights="imagenet")
        name, why = MOBILENET, ""
    # Keras raises a bare Exception if a download fails.
    except Exception as error:
        base = vgg16.load_vgg16_base()
        name, why = "vgg16", f", because MobileNetV3's weights cannot be downloaded ({error})"
    with atomic_folder(folder) as beside:
        base.save_weights(beside / f"{name}.weights.h5")
    return f"{name}.weights.h5{why}"
