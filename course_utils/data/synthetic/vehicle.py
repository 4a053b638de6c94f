"""Bodies of cars and trucks: three-dimensional, built from curved surfaces.

The axes: x points to the vehicle's nose, y to its left side, z up; lengths in meters.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from course_utils.data.synthetic.surfaces import Mesh, Surface, cuboid, disc, tread


@dataclass(frozen=True)
class Body:
    """The proportions of one kind of vehicle.

    Lengths and heights are in meters. Places along the vehicle are fractions of its length,
    from 0 at the front bumper to 1 at the rear one.
    """

    name: str
    type: str
    length: float
    width: float
    height: float
    clearance: float
    wheel_radius: float
    axles: tuple[float, float]
    nose: float  # height of the hood's front edge
    cowl: tuple[float, float]  # foot of the windshield: place, height
    roof: tuple[float, float]  # where the roof begins and ends
    tail: tuple[float, float]  # foot of the rear window: place, height
    windows: tuple[tuple[float, float], ...]  # side windows, from place to place
    end: float = 1.0  # where the painted body ends
    bed: bool = False
    box: bool = False


BODIES = {body.name: body for body in (
    Body(
        "hatchback", "Car", 4.1, 1.76, 1.48, 0.17, 0.31, (0.19, 0.81), 0.74,
        (0.25, 0.95), (0.43, 0.86), (0.985, 0.98), ((0.33, 0.54), (0.56, 0.76), (0.78, 0.87)),
    ),
    Body(
        "sedan", "Car", 4.75, 1.82, 1.45, 0.16, 0.33, (0.19, 0.79), 0.72,
        (0.27, 0.93), (0.43, 0.67), (0.83, 1.0), ((0.33, 0.5), (0.515, 0.67), (0.68, 0.74)),
    ),
    Body(
        "station wagon", "Car", 4.75, 1.82, 1.48, 0.16, 0.33, (0.19, 0.79), 0.72,
        (0.26, 0.94), (0.41, 0.9), (0.985, 1.0), ((0.32, 0.49), (0.505, 0.68), (0.7, 0.9)),
    ),
    Body(
        "coupe", "Car", 4.5, 1.84, 1.32, 0.14, 0.33, (0.2, 0.79), 0.68,
        (0.3, 0.88), (0.47, 0.6), (0.87, 0.95), ((0.38, 0.6), (0.615, 0.7)),
    ),
    Body(
        "pickup single cab", "Truck", 5.3, 1.95, 1.85, 0.31, 0.4, (0.17, 0.77), 1.04,
        (0.26, 1.17), (0.35, 0.455), (0.48, 1.23), ((0.3, 0.445),), bed=True,
    ),
    Body(
        "pickup double cab", "Truck", 5.7, 1.98, 1.9, 0.31, 0.41, (0.17, 0.79), 1.04,
        (0.24, 1.17), (0.33, 0.58), (0.605, 1.23), ((0.28, 0.43), (0.445, 0.575)), bed=True,
    ),
    Body(
        "suv", "Truck", 4.75, 1.92, 1.8, 0.26, 0.39, (0.18, 0.8), 0.99,
        (0.24, 1.13), (0.36, 0.93), (0.985, 1.16), ((0.3, 0.47), (0.49, 0.68), (0.7, 0.92)),
    ),
    Body(
        "van", "Truck", 5.2, 1.98, 2.15, 0.22, 0.35, (0.16, 0.78), 0.95,
        (0.13, 1.15), (0.3, 0.97), (0.99, 1.2), ((0.2, 0.36), (0.4, 0.64), (0.68, 0.93)),
    ),
    Body(
        "box truck", "Truck", 6.3, 2.05, 2.2, 0.35, 0.42, (0.15, 0.78), 1.1,
        (0.13, 1.3), (0.21, 0.315), (0.335, 1.35), ((0.18, 0.3),), end=0.345, box=True,
    ),
)}  # fmt: skip


# Faces are painted layer by layer, within a layer from far to near: 0 tires, 2 the shell and,
# up to 3, what lies on it, 4 wheels, 6 the cabin, 7 its glass, 8 the near mirror. The camera
# stands above hood and bed, so the cabin always comes after the shell. The rear of a box truck
# has its layers from here on, and goes before all others where the cab hides it.
BEHIND_CAB = 20


def _lower_body(body: Body) -> tuple[Surface, Surface, Surface]:
    """Everything below the windows: the sides and top, the front, the rear."""
    (cowl, cowl_height), (tail, tail_height) = body.cowl, body.tail
    # A sedan's trunk lies a little below the foot of its rear window.
    deck = tail_height - (0.04 if not body.bed and tail < 0.95 else 0)
    nose_and_tail = (0, 0.006, 0.02, 0.05, 0.1, 0.9, 0.93, 0.96, 0.985, 0.995, 1)
    between = np.linspace(0.15, 0.85, 9)
    fraction = np.unique((*nose_and_tail, *between, cowl / body.end, min(tail / body.end, 1)))
    top = np.interp(
        fraction,
        (0, 0.006, 0.03, cowl / body.end, min(tail / body.end, 0.985), 0.99, 1),
        (body.nose - 0.12, body.nose - 0.03, body.nose, cowl_height, deck, deck - 0.02, deck - 0.1),
    )
    # Seen from above the corners are rounded; seen from the side the bumpers rise.
    corner = np.minimum(np.minimum(fraction / 0.09, (1 - fraction) / 0.07), 1)
    half = body.width / 2 * (1 - 0.13 * (1 - corner) ** 2)
    sill = body.clearance + 0.04 * (1 - corner)
    # A cross-section, from the left sill over the hood to the right sill: v = 0 to 10.
    across = np.array((0.93, 1.0, 0.995, 0.97, 0.88, 0, -0.88, -0.97, -0.995, -1.0, -0.93))
    up = np.array((0, 0.28, 0.68, 0.93, 1, 1.035, 1, 0.93, 0.68, 0.28, 0))
    x = body.length * (0.5 - fraction * body.end)
    height = sill[:, None] + (top - sill)[:, None] * up
    points = np.stack([x[:, None] + 0 * height, half[:, None] * across, height], axis=2)
    shell = Surface(points, fraction * body.end, np.arange(11.0))
    # The first and last cross-section, each spanned from side to side, close the shell.
    left, right = points[:, :6], points[:, :4:-1]
    ends = [
        Surface(np.stack(pair), np.array((0.0, 1.0)), np.arange(6.0))
        for pair in ((right[0], left[0]), (left[-1], right[-1]))
    ]
    return shell, *ends


def _cabin(body: Body) -> Surface:
    """The part with the windows, from the windshield's foot over the roof to the tail."""
    (front, front_height), (rear, rear_height) = body.cowl, body.tail
    (start, stop), height = body.roof, body.height
    outline = np.array([
        (front, front_height),
        (front + 0.88 * (start - front), front_height + 0.86 * (height - front_height)),
        (start + 0.01, height - 0.045),
        (start + 0.3 * (stop - start), height - 0.005),
        (start + 0.6 * (stop - start), height),
        (stop - 0.01, height - 0.03),
        (stop + 0.15 * (rear - stop), rear_height + 0.85 * (height - rear_height)),
        (rear, rear_height),
    ])  # fmt: skip
    places = np.unique(np.concatenate([outline[:, 0], np.linspace(front, rear, 15)]))
    top = np.interp(places, outline[:, 0], outline[:, 1])
    belt = np.interp(places, (front, rear), (front_height, rear_height)) - 0.03
    fraction = (places - front) / (rear - front)
    # The sides lean inward from the belt to the eaves, those of a car more.
    base = body.width / 2 * (0.95 - 0.28 * (fraction - 0.45) ** 2)
    edge = np.maximum(top - 0.09, belt + 0.02)
    eaves = base - (0.22 if body.type == "Car" else 0.145) * body.width * (edge - belt)
    top = np.maximum(top, edge)
    # A cross-section from the left belt over the roof to the right belt: v = 0 to 6.
    columns = [(base, belt), (eaves, edge), (eaves - 0.09, top), (0 * base, top + 0.025)]
    columns += [(-across, up) for across, up in columns[2::-1]]
    x = body.length * (0.5 - places)
    points = np.stack([np.stack([x, across, up], axis=1) for across, up in columns], axis=1)
    return Surface(points, places, np.arange(7.0))


@cache
def _surfaces(body: Body) -> tuple[Surface, Surface, Surface, Surface]:
    """The curved surfaces of a body: shell, front, rear, cabin."""
    return *_lower_body(body), _cabin(body)


def build_vehicle(
    body: Body, paint: np.ndarray, lit: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Builds the faces and materials of a complete vehicle, nose toward +x, wheels on z = 0.

    The camera never stands on the right: there, what lies flat on the side is left out.

    Args:
        body: Its proportions.
        paint: Linear RGB, shape (3,).
        lit: How brightly its lights shine; 0 is off.
        random: Decides its details, such as rims, trim and grille.

    Returns:
        Faces, shape (n, 4, 3), in meters, and materials, shape (n, 6): linear RGB, gloss, glow,
        and the layer in which to paint the face.

    Example:
        >>> faces, materials = build_vehicle(
        ...     BODIES["suv"], np.full(3, 0.5), lit=0.0, random=np.random.default_rng(1)
        ... )
        >>> faces.shape[1:], materials.shape[1:]
        ((4, 3), (6,))
    """
    mesh = Mesh()
    shell, front, rear, cabin = _surfaces(body)
    truck = body.type == "Truck"
    black, chrome, plastic = (0.01,) * 3, (0.5,) * 3, (0.05,) * 3
    glass = (random.choice((0.008, 0.02, 0.05)),) * 3
    trim = plastic if random.random() < (0.5 if truck else 0.15) else paint
    if truck and random.random() < 0.35:
        trim = chrome
    ends = np.array((0, 0.01, 0.03)), body.end - np.array((0.03, 0.01, 0))

    def both(u, v, color, layer, **finish) -> None:
        """Adds a patch of the shell on the left side and its mirror image on the right."""
        v = np.asarray(v)
        mesh.add(shell.patch(u, v), color, layer=layer, **finish)
        mesh.add(shell.patch(u, 10 - v[::-1]), color, layer=layer, **finish)

    _add_wheels(mesh, body, random)

    # The painted shell, dark sills, seams of the doors, handles, bumpers.
    mesh.add(shell.patch(shell.u, np.arange(11.0)), paint, gloss=1, layer=2)
    for end in (front, rear):
        mesh.add(end.patch(np.linspace(0, 1, 7), np.linspace(0, 5, 7)), paint, gloss=1, layer=2)
        mesh.add(end.patch(np.linspace(0, 1, 5), (0, 0.7, 1.4)), trim, gloss=0.5, layer=2.5)
        plate = (0.6, 0.6, random.choice((0.1, 0.6)))
        mesh.add(end.patch((0.41, 0.59), (0.9, 1.35)), plate, layer=2.8)
    for u in ends:
        both(u, (0, 0.7, 1.4), trim, 2.5, gloss=0.5)
    sill = random.uniform(0.3, 0.8)
    along = np.linspace(0.03, 0.97, 8) * body.end
    mesh.add(shell.patch(along, (0, sill / 2, sill)), plastic, layer=2.4)
    seams = (body.windows[0][0] - 0.01, *(stop + 0.008 for _, stop in body.windows[:2]))
    for seam in seams:
        mesh.add(shell.patch((seam - 0.0015, seam + 0.0015), (0.6, 2.9)), black, layer=2.6)
    for seam in seams[1:]:
        handle = shell.patch((seam - 0.045, seam - 0.015), (2.45, 2.62))
        mesh.add(handle, plastic if truck else paint, layer=2.7)

    # The face: grille, air intake, headlights; behind, taillights.
    edge, low = random.uniform(0.2, 0.34), random.uniform(1.5, 2.1)
    if not truck:
        low += 0.5
    mesh.add(front.patch((edge, 0.5, 1 - edge), (low, 3.3)), black, gloss=0.2, layer=2.6)
    for bar in np.linspace(low, 3.2, random.integers(2, 6)):
        mesh.add(front.patch((edge, 1 - edge), (bar, bar + 0.14)), chrome, gloss=0.6, layer=2.7)
    mesh.add(front.patch((0.22, 0.78), (0.3, 0.85)), black, layer=2.6)
    bottom, depth = random.uniform(2.0, 2.5), random.uniform(0.02, 0.06)
    lamp, red, tall = (0.75, 0.78, 0.8), (0.4, 0.008, 0.01), random.uniform(1.6, 2.4)
    inner = edge - 0.02
    for u in ((0, inner), (1 - inner, 1)):
        mesh.add(front.patch(u, (bottom - 0.08, 3.25)), black, gloss=0.5, layer=2.7)
        shrunk = (u[0] + 0.03, u[1] - 0.03)
        mesh.add(front.patch(shrunk, (bottom, 3.15)), lamp, gloss=1, glow=lit, layer=2.8)
    both((0, depth / 2, depth), (bottom, 3.0), lamp, 2.8, gloss=1, glow=lit)
    if not body.box:
        both((0.965, 0.985, 1), (tall, 3.0), red, 2.8, gloss=0.6, glow=0.6 * lit)
        for u in ((0.0, 0.15), (0.85, 1.0)):
            mesh.add(rear.patch(u, (tall, 3.4)), red, gloss=0.6, glow=0.6 * lit, layer=2.8)
        mesh.add(rear.patch((0.12, 0.88), (3.05, 3.1)), black, layer=2.7)

    # The cabin: its painted frame, then the glass. Some vans have no windows behind the door.
    mesh.add(cabin.patch(cabin.u, np.arange(7.0)), paint, gloss=1, layer=6)
    closed = body.height > 2 and random.random() < 0.6
    for start, stop in body.windows[: 1 if closed else None]:
        window = cabin.patch(np.linspace(start, stop, 6), (0.12, 0.88))
        mesh.add(window, glass, gloss=1, layer=7)
    across = (1.85, 2.5, 3, 3.5, 4.15)
    (cowl, _), (tail, _), (start, stop) = body.cowl, body.tail, body.roof
    for foot, top, low in ((cowl, start, 0.05), (tail, stop, 0.35 if tail > 0.95 else 0.12)):
        screen = np.sort(foot + (top - foot) * np.linspace(low, 0.95, 4))
        mesh.add(cabin.patch(screen, across), glass, gloss=1, layer=7)
    if body.name in ("station wagon", "suv") and random.random() < 0.5:
        for v in ((1.8, 1.95), (4.05, 4.2)):
            rail = cabin.patch(np.linspace(start + 0.03, stop - 0.03, 6), v) + (0, 0, 0.05)
            mesh.add(rail, plastic, layer=7.5)

    x, z = body.length * (0.5 - body.windows[0][0] - 0.01), body.cowl[1] + 0.09
    for side, layer in ((1, 8), (-1, 5.9)):
        y = side * (body.width / 2 + 0.07)
        for face in cuboid((x - 0.06, y - 0.1, z - 0.07), (x + 0.06, y + 0.1, z + 0.09)):
            mesh.add(face, trim, gloss=0.6, layer=layer)

    if body.bed:
        # The bed is open: what shows is its dark inside.
        place = body.tail[0] + 0.01
        mesh.add(shell.patch((place, 0.97), (4.05, 5, 5.95)), paint * 0.15, layer=2.6)
    if body.box:
        cargo = np.full(3, 0.7) if random.random() < 0.7 else paint
        front_end, rear_end, half = 0.14 * body.length, -0.5 * body.length, 0.53 * body.width
        top = body.height + random.uniform(0.5, 1.0)
        for face in cuboid((rear_end, -0.8 * half, 0.55), (front_end, 0.8 * half, 0.95)):
            mesh.add(face, black, layer=BEHIND_CAB + 1)
        for face in cuboid((rear_end, -half, 0.95), (front_end, half, top)):
            mesh.add(face, cargo, gloss=0.3, layer=BEHIND_CAB + 6)
    return mesh.arrays()


def _add_wheels(mesh: Mesh, body: Body, random: np.random.Generator) -> None:
    """Tires before the body is painted; arches, tire walls and rims of the left side after it."""
    black, rim = (0.01,) * 3, (random.choice((0.04, 0.35, 0.5, 0.6)),) * 3
    radius, half, spokes = body.wheel_radius, body.width / 2 + 0.01, random.integers(5, 8)
    for axle in body.axles:
        x = body.length * (0.5 - axle)
        group = BEHIND_CAB if body.box and axle > 0.5 else 0
        mesh.add(tread(x, half - 0.24, half, radius), black, layer=group)
        mesh.add(tread(x, -half, 0.24 - half, radius), black, layer=group)
        if not group:
            mesh.add(disc(x, half - 0.008, radius + 0.03, radius + 0.07), black, layer=3)
        mesh.add(disc(x, half, radius, radius), (0.02,) * 3, layer=4 + group)
        mesh.add(disc(x, half + 0.005, radius, 0.68 * radius), rim, gloss=0.4, layer=4.1 + group)
        angles = 2 * np.pi * (np.arange(spokes) + random.random()) / spokes
        for along, up in 0.44 * radius * np.stack([np.cos(angles), np.sin(angles)], axis=1):
            hole = disc(x + along, half + 0.01, radius + up, 0.8 * radius / spokes, steps=3)
            mesh.add(hole, black, layer=4.2 + group)
