"""The machine's GPUs, and why TensorFlow may not see one."""

import platform
import shutil
import subprocess
from pathlib import Path

from course_utils.core import backend, environment

HALF_CAPABILITY = (7, 0)  # NVIDIA's first with tensor cores; before it float16 gains nothing
LIMIT = 5  # seconds for nvidia-smi, which hangs on a broken driver


def list_gpus() -> list[str]:
    """Returns the names of the GPUs that TensorFlow sees, as `tf.distribute` takes them."""
    return [
        device.name for device in backend.import_tensorflow().config.list_logical_devices("GPU")
    ]


def describe_gpus() -> str:
    """Returns a description of the GPUs, such as "2 × Tesla T4, compute capability 7.5"."""
    names = []
    for details in _list_details():
        capability = ".".join(map(str, details.get("compute_capability", ("unknown",))))
        names.append(f"{details.get('device_name', 'GPU')}, compute capability {capability}")
    counted = {name: names.count(name) for name in names}
    return "; ".join(f"{count} × {name}" if count > 1 else name for name, count in counted.items())


def has_fast_half() -> bool:
    """Whether there are GPUs and all of them are faster in float16 (capability 7.0 or more)."""
    found = [tuple(details.get("compute_capability", (0, 0))) for details in _list_details()]
    return bool(found) and min(found) >= HALF_CAPABILITY


def _list_details() -> list[dict]:
    config = backend.import_tensorflow().config
    return [
        config.experimental.get_device_details(gpu) for gpu in config.list_physical_devices("GPU")
    ]


def explain_unseen() -> str:
    """Returns why TensorFlow does not see an NVIDIA card that is there, and what to do.

    Returns:
        Sentences for the student; "" if TensorFlow sees a GPU or there is no card.
    """
    card = _find_card()
    if not card or list_gpus():
        return ""
    found = f"There is {card}, but TensorFlow does not see it: "
    hidden = environment.visible_gpus()
    if hidden in ("", "-1"):
        return f"{found}CUDA_VISIBLE_DEVICES={hidden!r} hides it. Unset it and start again."
    if platform.system() == "Windows":
        return f"{found}TensorFlow uses GPUs on Linux only. Run the course inside WSL2."
    tensorflow = backend.import_tensorflow()
    if not tensorflow.test.is_built_with_cuda():
        return f"{found}this TensorFlow is built without CUDA. Install tensorflow[and-cuda]."
    wanted = tensorflow.sysconfig.get_build_info().get("cuda_version", "unknown")
    return (
        f"{found}CUDA's libraries (TensorFlow {tensorflow.__version__} wants CUDA {wanted}) are "
        'missing, or the driver is too old for them. Run python -m pip install "tensorflow'
        "[and-cuda]\"; if that does not help, update NVIDIA's driver."
    )


def _find_card() -> str:
    """Returns what NVIDIA's driver, or else the system's files, say about a card; "" if nothing."""
    program = shutil.which("nvidia-smi")
    if program:
        query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            answer = subprocess.run(query, capture_output=True, text=True, timeout=LIMIT)
        except (OSError, subprocess.TimeoutExpired):
            return "an NVIDIA card whose driver does not answer (nvidia-smi)"
        if answer.returncode:
            return f"an NVIDIA driver that fails ({(answer.stdout or answer.stderr).strip()[:100]})"
        name, _, driver = answer.stdout.strip().splitlines()[0].partition(", ")
        return f"an {name} (driver {driver})"
    if Path("/proc/driver/nvidia").exists() or Path("/dev/nvidia0").exists():
        return "an NVIDIA card whose driver is only partly installed (nvidia-smi is missing)"
    return ""
