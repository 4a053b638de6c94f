"""Curved surfaces and the faces that cover them: what a vehicle's body is built from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Surface:
    """A curved surface: a grid of points, shape (m, n, 3), with the coordinates of its lines.

    Seen from outside, u × v points toward the observer, which tells front from back.
    """

    points: np.ndarray
    u: np.ndarray
    v: np.ndarray

    def patch(self, u: Sequence[float], v: Sequence[float]) -> np.ndarray:
        """The points at every pair of these coordinates, shape (len(u), len(v), 3)."""
        return _between(self.v, _between(self.u, self.points, u, 0), v, 1)


def _between(lines: np.ndarray, points: np.ndarray, wanted: Sequence[float], axis: int):
    """Linear interpolation of the points along one axis of their grid."""
    # Some eighty calls per image: `np.clip` and `np.take` would cost more than the arithmetic.
    wanted = np.minimum(np.maximum(wanted, lines[0]), lines[-1])
    after = np.minimum(np.maximum(lines.searchsorted(wanted, side="right"), 1), len(lines) - 1)
    start, stop = lines[after - 1], lines[after]
    fraction = ((wanted - start) / (stop - start))[:, None]
    if axis == 0:
        fraction = fraction[:, None]
    low, high = points.take(after - 1, axis), points.take(after, axis)
    return low + (high - low) * fraction


class Mesh:
    """Four-cornered faces in the order in which to paint them, with their materials."""

    def __init__(self) -> None:
        self.faces, self.materials = [], []

    def add(self, grid, color, *, layer: float, gloss: float = 0.0, glow: float = 0.0) -> None:
        """Adds every cell of a grid of points, shape (m, n, 3)."""
        rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
        faces = np.empty((rows, columns, 4, 3))
        faces[:, :, 0], faces[:, :, 1] = grid[:-1, :-1], grid[1:, :-1]
        faces[:, :, 2], faces[:, :, 3] = grid[1:, 1:], grid[:-1, 1:]
        self.faces.append(faces.reshape(-1, 4, 3))
        self.materials.append((*color, gloss, glow, layer))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Faces, shape (n, 4, 3), and materials, shape (n, 6): RGB, gloss, glow, layer."""
        counts = [len(faces) for faces in self.faces]
        return np.concatenate(self.faces), np.repeat(self.materials, counts, axis=0)


def disc(x: float, y: float, z: float, radius: float, steps: int = 10) -> np.ndarray:
    """Returns a disc at a constant y that faces left, as a grid of shape (2, steps + 1, 3).

    Example:
        >>> disc(x=1.0, y=0.0, z=0.5, radius=0.5).shape
        (2, 11, 3)
    """
    angles = np.linspace(0, np.pi, steps + 1)
    across, up = radius * np.sin(angles), z - radius * np.cos(angles)
    return np.stack([np.stack([x + end * across, 0 * up + y, up], 1) for end in (1, -1)])


def tread(x: float, low: float, high: float, radius: float) -> np.ndarray:
    """Returns the rolling surface of a wheel between two y, as a grid of shape (17, 2, 3).

    Example:
        >>> tread(x=1.0, low=-0.1, high=0.1, radius=0.5).shape
        (17, 2, 3)
    """
    angles = np.linspace(0, 2 * np.pi, 17)
    along, up = x + radius * np.sin(angles), radius - radius * np.cos(angles)
    return np.stack([np.stack([along, 0 * up + y, up], 1) for y in (high, low)], axis=1)


def cuboid(low: Sequence[float], high: Sequence[float]) -> list[np.ndarray]:
    """Returns the five faces of a box that can be seen from above the ground.

    Example:
        >>> left, right, front, rear, top = cuboid(low=(0, 0, 0), high=(2, 1, 1))
        >>> top.shape, float(top[..., 2].min())
        ((2, 2, 3), 1.0)
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    rings = (
        ((x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)),  # left
        ((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)),  # right
        ((x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)),  # front
        ((x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)),  # rear
        ((x1, y1, z1), (x0, y1, z1), (x0, y0, z1), (x1, y0, z1)),  # top
    )
    return [np.array(((a, d), (b, c)), dtype=float) for a, b, c, d in rings]
