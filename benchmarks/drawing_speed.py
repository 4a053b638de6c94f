"""How long it takes to draw 1,000 vehicles on one core.

Drawing uses one core, whatever there are, so its processor time counts. A machine that is busy
otherwise slows that down too, so the fastest hundred is told beside the whole.
"""

import argparse
import time

from measuring import Row

from course_utils.data.synthetic.dataset import make_synthetic_vehicles

HUNDREDS = 5
TARGET = 20  # seconds for a thousand


def measure(chosen: argparse.Namespace) -> list[Row]:
    """Returns a row for the mean hundred and one for the fastest, each for a thousand."""
    make_synthetic_vehicles(8)  # what is loaded at the first use is not drawing
    seconds = []
    for seed in range(HUNDREDS):
        start = time.process_time()
        make_synthetic_vehicles(100, seed=seed)
        seconds.append(time.process_time() - start)
    named = {"the mean": 10 * sum(seconds) / HUNDREDS, "the fastest": 10 * min(seconds)}
    return [
        Row(
            f"1,000 pictures of 128 × 128, from {name} of {HUNDREDS} hundreds",
            f"{whole:.1f} s of one core",
            f"{whole / TARGET:.2f}",
            f"by the {TARGET} s allowed",
        )
        for name, whole in named.items()
    ]
