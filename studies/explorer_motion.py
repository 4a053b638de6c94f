"""Draws docs/explorer.webp, the README's picture: the explorer's grid while sliders move.

python studies/explorer_motion.py
"""

from pathlib import Path

import numpy as np
from PIL import ImageOps

from course_utils.augmentation.explorer.pictures import draw_page
from course_utils.augmentation.explorer.views import ViewMaker
from course_utils.augmentation.policy import Augmentation
from course_utils.data.synthetic.dataset import make_synthetic_vehicles

OUT = Path(__file__).resolve().parents[1] / "docs" / "explorer.webp"
SEED = 31415
VEHICLE = 8  # a bright one that fills its photo
FRAME = 160  # milliseconds
# Each slider in turn goes up to its last value and stays there for a moment.
SLIDERS = {
    "contrast": (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9),
    "rotation": (0, 8, 16, 24, 32, 40),
    "hue": (0, 20, 40, 60, 80),
}
PAUSE = 4  # frames at each end


def list_settings() -> list[Augmentation]:
    """Returns the augmentation of every frame."""
    settings = []
    for name, values in SLIDERS.items():
        steps = [Augmentation(flip="horizontal", **{name: value}) for value in values]
        settings += [steps[0]] * PAUSE + steps + [steps[-1]] * PAUSE
    return settings


def main() -> None:
    """Draws all frames and writes them as one animated picture."""
    images, _, _ = make_synthetic_vehicles(VEHICLE + 1, seed=SEED, light="day", color="red")
    photos = np.repeat(images[VEHICLE:], 16, axis=0)
    maker, drawn, frames = ViewMaker(), {}, []
    for augmentation in list_settings():
        if augmentation not in drawn:
            views = maker.make(photos, augmentation, seed=SEED, epoch=1)
            drawn[augmentation] = draw_page(views, [], [augmentation.describe()])
        frames.append(drawn[augmentation])
    size = (frames[0].width, max(frame.height for frame in frames))
    pages = [ImageOps.pad(frame, size, color="white", centering=(0, 0)) for frame in frames]
    pages[0].save(
        OUT, save_all=True, append_images=pages[1:], duration=FRAME, loop=0, quality=60, method=6
    )
    print(f"{OUT.name}: {len(pages)} frames, {OUT.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
