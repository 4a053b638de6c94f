"""What TensorFlow and Keras need of a machine; each misfit is named in one sentence.

It imports neither of them, since importing is what would fail."""

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from course_utils.core import environment

OLDEST, NEWEST = (3, 11), (3, 13)
CPU_FACTS = Path("/proc/cpuinfo")


def check_machine() -> None:
    """Makes sure that TensorFlow and Keras can be imported as the course needs them.

    Raises:
        RuntimeError: If they cannot; the message says what to do.
    """
    for misfit in (*list_misfits(), find_keras_misfit()):
        if misfit:
            raise RuntimeError(misfit)


def list_misfits() -> Iterator[str]:
    """Gives a sentence for each thing about Python and the processor that TensorFlow refuses."""
    version = platform.python_version()
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        yield (
            f"Expected Python {_dotted(OLDEST)} to {_dotted(NEWEST)}, for which TensorFlow has "
            f"packages, found {version}: make a virtual environment with one of these."
        )
    if sys.maxsize <= 2**32:
        yield (
            f"Expected a 64-bit Python, found {version} with 32 bits, for which TensorFlow has no "
            "packages: install the 64-bit Python."
        )
    system, processor = platform.system(), platform.machine().lower()
    if (system, processor) in (("Darwin", "x86_64"), ("Windows", "arm64")):
        name = {"Darwin": "a Mac with an Intel processor", "Windows": "Windows on ARM"}[system]
        yield (
            "Expected a machine that TensorFlow has packages for, found "
            f"{name}: use Colab, Kaggle, or another computer."
        )
    if processor in ("x86_64", "amd64") and not _has_avx():
        yield (
            "Expected a processor with AVX, which TensorFlow's packages need, found one without: "
            "use another machine, Colab or Kaggle. In a virtual machine, let it pass the host's "
            "processor on."
        )


def find_keras_misfit() -> str | None:
    """Returns a sentence if Keras is set to another backend or image format, otherwise `None`."""
    for name, found, wanted in (
        ("backend", environment.keras_backend(), "tensorflow"),
        ("image_data_format", environment.keras_image_format(), "channels_last"),
    ):
        if found and found[0] != wanted:
            value, place = found
            fix = (
                "put %env KERAS_BACKEND=tensorflow above the first cell's imports and restart the "
                "kernel; in a terminal, set the environment variable KERAS_BACKEND to tensorflow"
                if name == "backend"
                else f"correct it in {place}"
            )
            return f"Expected Keras's {name} {wanted}, found {value!r} in {place}: {fix}."
    return None


def _has_avx() -> bool:
    try:
        flags = [line for line in CPU_FACTS.read_text().splitlines() if line.startswith("flags")]
    except OSError:
        return True  # Not Linux: nothing is known, and TensorFlow says it.
    return not flags or "avx" in flags[0].split()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
