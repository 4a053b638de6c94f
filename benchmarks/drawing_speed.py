"""How long it takes to draw 1,000 vehicles on one core.

Run it with `python benchmarks/drawing_speed.py`; drawing uses one core, whatever there are.
"""

import time

from course_utils.vehicles import draw_vehicles

COUNT = 1000
TARGET = 20  # seconds


def main() -> None:
    """Draws, and prints what it took."""
    draw_vehicles(8)  # what is loaded at the first use is not drawing
    wall, processor = time.perf_counter(), time.process_time()
    draw_vehicles(COUNT)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(
        f"{COUNT:,} pictures of 128 × 128: {processor:.1f} s on one core ({wall:.1f} s by the "
        f"clock), {1000 * processor / COUNT:.1f} ms each; {processor / TARGET:.2f} of the "
        f"{TARGET} s allowed."
    )


if __name__ == "__main__":
    main()
