"""From the parameters of one image to its pixels.

A three-dimensional body is seen through a camera, shaded by a sun, and painted with Pillow over
a ground, a sky and some clutter.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from course_utils.core.checks import check_choice, check_image_size, check_number
from course_utils.data.synthetic.parameters import CLASS_NAMES, NUISANCES, Names, check_setting
from course_utils.data.synthetic.scene import (
    Camera,
    Light,
    draw_background,
    linear,
    sample_light,
    shade,
)
from course_utils.data.synthetic.vehicle import BEHIND_CAB, BODIES, build_vehicle

# The color of each paint as one reads it from an image: bright, dark.
PAINTS = {
    "gray": ((0.8, 0.81, 0.82), (0.16, 0.16, 0.17)),
    "red": ((0.7, 0.08, 0.09), (0.36, 0.05, 0.07)),
    "blue": ((0.33, 0.47, 0.7), (0.08, 0.13, 0.35)),
    "green": ((0.45, 0.58, 0.38), (0.08, 0.22, 0.14)),
    "yellow": ((0.9, 0.7, 0.12), (0.34, 0.26, 0.15)),
}


def _paint_color(row: Mapping, random: np.random.Generator) -> np.ndarray:
    """The linear color of the paint, a little different on every vehicle."""
    color = np.array(PAINTS[row["color"]][row["paint"] == "dark"])
    varied = color * random.uniform(0.8, 1.18) + random.uniform(-0.03, 0.03, 3)
    return linear(*np.clip(varied, 0, 1))


def render_vehicle(
    parameters: Mapping[str, Any], image_size: tuple[int, int] = (128, 128)
) -> np.ndarray:
    """Renders one image from explicit parameters.

    Swap the heading and negate `sun_azimuth` and `place_x`, and the image is mirrored exactly.

    Args:
        parameters: A row of the DataFrame that `make_synthetic_vehicles` returns, or a dict with
            the same keys: "type" and every name in `NUISANCES`.
        image_size: (height, width) in pixels, each from 16 to 1024.

    Returns:
        The image, uint8 of shape (height, width, 3), RGB in [0, 255].

    Raises:
        ValueError: If a parameter is missing or outside what `NUISANCES` allows, or the body is
            none of the type's.
        TypeError: If a parameter that is a number received something else.

    Example:
        >>> from course_utils.data.synthetic.parameters import sample_parameters
        >>> (row,) = sample_parameters(1, seed=1, split="train")
        >>> render_vehicle(row, image_size=(32, 48)).shape
        (32, 48, 3)
    """
    row = _check_row(parameters)
    return _render(row, check_image_size(image_size))


def render_mask(
    parameters: Mapping[str, Any], image_size: tuple[int, int] = (128, 128)
) -> np.ndarray:
    """Returns where the vehicle is in the image that `render_vehicle` renders.

    Its shadow is not part of it.

    Args:
        parameters: As in `render_vehicle`.
        image_size: The same.

    Returns:
        bool, shape (height, width).

    Raises:
        ValueError: As `render_vehicle` does.
        TypeError: The same.

    Example:
        >>> from course_utils.data.synthetic.parameters import sample_parameters
        >>> (row,) = sample_parameters(1, seed=1, split="train")
        >>> mask = render_mask(row, image_size=(32, 48))
        >>> mask.shape, bool(mask[0].any())
        ((32, 48), False)
    """
    row = _check_row(parameters)
    pose = _pose(row, check_image_size(image_size))
    covered = np.asarray(pose.paint_vehicle())[..., 3] > 127
    return pose.place(covered, image_size)


def _check_row(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters of one image, all there and each in its range."""
    row = dict(parameters)
    missing = [name for name in ("type", *NUISANCES) if name not in row]
    if missing:
        raise ValueError(
            f"Expected every parameter of an image, received none called {missing[0]!r}. "
            "Pass one row of the DataFrame that make_synthetic_vehicles returns."
        )
    check_choice("type", row["type"], CLASS_NAMES)
    for name, nuisance in NUISANCES.items():
        if isinstance(nuisance, Names):
            check_choice(name, row[name], nuisance.names)
        else:
            check_number(name, row[name], nuisance.low, nuisance.high)
    check_setting("body", row["body"], row["type"])
    return row


@dataclass(frozen=True)
class _Pose:
    """A vehicle before its camera, and the random numbers that come after it.

    Args:
        row: The image's parameters.
        size: Of the photo inside the letterbox: (width, height).
        light: Sun and sky.
        camera: Turned, zoomed and moved so that the vehicle is in its place.
        turned: The corners of the faces in the camera's axes.
        normals: Of the faces.
        materials: Of the faces.
        random: What is left to draw: the background and all that comes after it.
    """

    row: Mapping
    size: tuple[int, int]
    light: Light
    camera: Camera
    turned: np.ndarray
    normals: np.ndarray
    materials: np.ndarray
    random: np.random.Generator

    def paint_vehicle(self) -> Image.Image:
        """Returns the vehicle alone on a transparent photo."""
        about = (self.camera, self.light, self.turned, self.normals, self.materials)
        return _paint_faces(*about, BODIES[self.row["body"]], self.size)

    def place(self, photo: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        """Returns the photo letterboxed on black, mirrored if the vehicle faces right."""
        (outer_height, outer_width), (width, height) = image_size, self.size
        image = np.zeros((outer_height, outer_width, *photo.shape[2:]), photo.dtype)
        top, left = (outer_height - height) // 2, (outer_width - width) // 2
        image[top : top + height, left : left + width] = photo
        return image if self.row["heading"] == "left" else image[:, ::-1].copy()


def _pose(row: Mapping, image_size: tuple[int, int]) -> _Pose:
    """Builds the vehicle and places it, from checked parameters."""
    # Everything is rendered facing left. A vehicle that faces right is the mirror image of one
    # facing left under a mirrored sun at a mirrored place: a flipped image is as good as any.
    side = 1 if row["heading"] == "left" else -1
    random = np.random.default_rng(int(row["details"]))
    outer_height, outer_width = image_size
    width = min(outer_width, round(outer_height * row["aspect"]))
    height = min(outer_height, round(outer_width / row["aspect"]))

    light = sample_light(row, side, random)
    body, lit = BODIES[row["body"]], 0.9 * (row["light"] == "dusk")
    faces, materials = build_vehicle(body, _paint_color(row, random), lit, random)
    camera = Camera(row["azimuth"], row["distance"], row["camera_height"])
    turned = camera.turn(faces * (row["length_factor"], 1, row["height_factor"]))

    # Zoom until the vehicle fills its fraction of the photo, then move it to its place.
    flat = camera.project(turned)
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    room, place = np.array((width, height)), np.array((side * row["place_x"], row["place_y"]))
    scale = row["size"] * np.min(room / (high - low))
    shift = (room - scale * (high - low)) * (1 + place) / 2 - scale * low
    camera = replace(camera, scale=scale, shift=tuple(shift))

    normals = np.cross(turned[:, 2] - turned[:, 0], turned[:, 3] - turned[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    return _Pose(row, (width, height), light, camera, turned, normals, materials, random)


def _render(row: Mapping, image_size: tuple[int, int]) -> np.ndarray:
    """Renders one image from checked parameters."""
    pose = _pose(row, image_size)
    horizon = pose.camera.shift[1]
    photo = draw_background(row, pose.light, *pose.size, horizon, pose.random)
    shadow = _shadow(pose.camera, pose.light, pose.turned, pose.normals, photo.size)
    photo.paste((6, 6, 10), mask=shadow)
    vehicle = pose.paint_vehicle()
    photo.paste(vehicle, mask=vehicle)

    if row["softness"] > 0:
        blur = float(row["softness"]) * image_size[1] / 128
        photo = photo.filter(ImageFilter.GaussianBlur(blur))
    # A photo from the web has been through JPEG.
    stored = io.BytesIO()
    photo.save(stored, "JPEG", quality=int(pose.random.integers(60, 95)))
    return pose.place(np.asarray(Image.open(stored)), image_size)


def _shadow(camera: Camera, light: Light, turned, normals, size) -> Image.Image:
    """How dark the vehicle makes the ground, as a mask in [0, 255]."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    sunny = light.sun[0] / (light.sun[0] + light.sky[0])
    # Along the sun's rays, and straight down: little skylight reaches the ground below.
    slanted = light.toward_sun / max(light.toward_sun[2], 0.3)
    for slope, strength in ((slanted, 210 * sunny), (np.array((0, 0, 1)), 140 + 70 * sunny)):
        # The faces turned to the light cast the whole shadow.
        casting = turned[normals @ slope > 0]
        fallen = camera.project(casting - casting[..., 2:] * slope)
        for outline in fallen.reshape(-1, 8).tolist():
            draw.polygon(outline, fill=int(strength))
    return mask.filter(ImageFilter.GaussianBlur(0.01 * size[0]))


def _paint_faces(camera, light, turned, normals, materials, body, size) -> Image.Image:
    """The vehicle alone on a transparent photo: far faces first, three pixels for one."""
    fine = 3
    middle = turned.mean(axis=1)
    toward_eye = np.array((0, 0, camera.height)) - middle
    distance = np.linalg.norm(toward_eye, axis=1)
    toward_eye /= distance[:, None]
    shown = np.flatnonzero(np.sum(normals * toward_eye, axis=1) > 0)
    layers = materials[:, 5].copy()
    if body.box and np.cos(np.radians(camera.azimuth)) * camera.distance > 0.14 * body.length:
        # Seen from ahead of the box, the cab hides the box, not the box the cab.
        layers[layers >= BEHIND_CAB] -= 2 * BEHIND_CAB
    shown = shown[np.lexsort((-distance[shown], layers[shown]))]
    shades = light.develop(
        shade(light, normals[shown], toward_eye[shown], middle[shown, 2], materials[shown])
    )
    corners = (fine * camera.project(turned[shown])).reshape(-1, 8).tolist()
    canvas = Image.new("RGBA", (fine * size[0], fine * size[1]))
    draw = ImageDraw.Draw(canvas)
    for outline, color in zip(corners, shades.astype(int).tolist(), strict=True):
        draw.polygon(outline, fill=(*color, 255))
    return canvas.reduce(fine)
