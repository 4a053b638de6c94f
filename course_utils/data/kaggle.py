"""Downloads the lesson's photos from Kaggle, with a progress line and time limits."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from course_utils.core import cache, environment
from course_utils.core.files import atomic_write, folder_size, remove
from course_utils.core.manifest import made_folder, note_made
from course_utils.core.progress import Progress, describe_seconds

DATASET = "ryanholbrook/car-or-truck"
SIZE = "about 80 MB"
STORED_NAME = Path("photos", "kaggle")
FAILED_NAME = Path("photos", "kaggle-failed.json")
FIRST_BYTE = 10.0  # seconds
STALL = 30.0  # seconds without another byte
REMEMBERED = 6 * 3600  # seconds before another try after a failure
# In a process of its own, which can be ended at any time.
COMMAND = [
    *(sys.executable, "-c"),
    f"import kagglehub; print('\\n' + kagglehub.dataset_download({DATASET!r}))",
]


class DownloadFailed(OSError):
    """Kaggle's photos cannot be downloaded; the message says why."""


class _Elsewhere(Exception):
    """kagglehub found the photos outside of its cache, as it does on Kaggle and Colab."""


def download_photos(*, progress: bool = True) -> Path:
    """Downloads Kaggle's photos through kagglehub, without an account, unless they are cached.

    After a failure it does not try again for six hours, so that a student without an internet
    connection does not wait at the start of every lesson.

    Args:
        progress: Whether to print what is done and show a progress line.

    Returns:
        The folder of the photos, in the cache; on Kaggle and Colab it may be outside of it.

    Raises:
        DownloadFailed: If Kaggle cannot be reached, sends nothing for 30 s, or the download
            failed in the last six hours.
    """
    stored = cache.find_stored(STORED_NAME)
    if stored:
        return stored
    _raise_remembered()
    if progress:
        print(f"Downloading the photos {DATASET} from Kaggle ({SIZE}) …", flush=True)
    start = time.monotonic()
    target = environment.cache_dir() / STORED_NAME
    try:
        with made_folder(target) as beside:
            found = _run(beside / "download", progress)
            if not found.is_relative_to(beside):
                raise _Elsewhere(found)  # So that no empty folder appears in the cache.
            os.rename(found, beside / "photos")
            _remove_all_but(beside, "photos")
    except _Elsewhere as mounted:
        return mounted.args[0]
    except DownloadFailed as error:
        failed = environment.cache_dir() / FAILED_NAME
        with suppress(OSError):
            note_made(failed)
            with atomic_write(failed) as record:
                record.write_text(json.dumps({"when": time.time(), "why": str(error)}))
        raise
    if progress:
        print(f"Downloaded in {describe_seconds(time.monotonic() - start)}.", flush=True)
    return target


def forget_failure() -> None:
    """Lets the next download be tried, though one failed in the last six hours."""
    with suppress(OSError):
        remove(environment.cache_dir() / FAILED_NAME)


def _remove_all_but(folder: Path, name: str) -> None:
    for entry in folder.iterdir():
        if entry.name != name:
            shutil.rmtree(entry, ignore_errors=True)


def _raise_remembered() -> None:
    try:
        failed = json.loads((environment.cache_dir() / FAILED_NAME).read_text())
        age, why = time.time() - failed["when"], str(failed["why"])
    except (OSError, ValueError, LookupError, TypeError):
        return  # No failure is stored.
    if 0 <= age < REMEMBERED:  # The age is negative if the clock was set back.
        raise DownloadFailed(
            f"it failed {age / 60:.0f} minutes ago ({why}); python -m course_utils fetch tries "
            "again"
        )


def _run(folder: Path, progress: bool) -> Path:
    """Runs kagglehub with its cache in a folder, and returns the folder of the photos."""
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "KAGGLEHUB_CACHE": str(folder)},
    )
    said: list[bytes] = []
    written: list[bytes] = []
    readers = [
        threading.Thread(target=_collect, args=(process.stdout, said), daemon=True),
        threading.Thread(target=_collect, args=(process.stderr, written), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        _wait(process, folder, written, progress)
    finally:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join(5)
        process.stdout.close()
        process.stderr.close()
    if process.returncode:
        lines = b"".join(written).decode(errors="replace").strip().splitlines()
        raise DownloadFailed(lines[-1].strip()[:200] if lines else "kagglehub stopped")
    lines = b"".join(said).decode(errors="replace").strip().splitlines()
    if not lines or not Path(lines[-1]).is_dir():
        raise DownloadFailed("kagglehub named no folder")
    return Path(lines[-1])


def _collect(stream, parts: list[bytes]) -> None:
    while part := stream.read1(4096):
        parts.append(part)


def _wait(process: subprocess.Popen, folder: Path, written: list[bytes], progress: bool) -> None:
    size, changed, limit = 0, time.monotonic(), FIRST_BYTE
    with Progress(100, "Kaggle's photos", shown=progress) as line:
        while process.poll() is None:
            time.sleep(0.1)
            now_size = folder_size(folder)
            if now_size != size:
                size, changed, limit = now_size, time.monotonic(), STALL
            elif time.monotonic() - changed > limit:
                raise DownloadFailed(f"Kaggle sent nothing for {limit:.0f} s")
            # kagglehub's own progress bar shows the percentage.
            percent = re.findall(rb"(\d+)%\|", b"".join(written[-5:]))
            if percent and int(percent[-1]) > line.done:
                line.advance(int(percent[-1]) - line.done)
