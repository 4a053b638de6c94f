"""How long it takes to draw 1,000 vehicles on one core.

Run it with `python benchmarks/drawing_speed.py`; drawing uses one core, whatever there are. A
machine that is busy otherwise slows it down, so the fastest hundred is told beside the whole.
"""

import time

from course_utils.vehicles import draw_vehicles

HUNDREDS = 10
TARGET = 20  # seconds for a thousand


def main() -> None:
    """Draws, and prints what it took."""
    draw_vehicles(8)  # what is loaded at the first use is not drawing
    seconds = []
    for seed in range(HUNDREDS):
        start = time.process_time()
        draw_vehicles(100, seed=seed)
        seconds.append(time.process_time() - start)
    for name, whole in (("all", sum(seconds)), ("the fastest hundred × 10", 10 * min(seconds))):
        print(
            f"1,000 pictures of 128 × 128, {name}: {whole:.1f} s on one core, {whole:.1f} ms each, "
            f"{whole / TARGET:.2f} of the {TARGET} s allowed."
        )


if __name__ == "__main__":
    main()
