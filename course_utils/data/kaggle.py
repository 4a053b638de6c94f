"""Downloads the lesson's photos from Kaggle, with progress, and never waits for ever."""

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

from course_utils.core import settings
from course_utils.core.files import atomic_write, folder_size
from course_utils.core.manifest import made_folder, note_made
from course_utils.core.progress import Progress

DATASET = "ryanholbrook/car-or-truck"
STORED_NAME = Path("photos", "kaggle")
FAILED_NAME = Path("photos", "kaggle-failed.json")
FIRST_BYTE = 10.0  # seconds
STALL = 30.0  # seconds without a byte more
REMEMBERED = 6 * 3600  # seconds for which a failure is not tried again
# A process of its own can be ended whatever it waits for.
COMMAND = [
    *(sys.executable, "-c"),
    f"import kagglehub; print('\\n' + kagglehub.dataset_download({DATASET!r}))",
]


class DownloadFailed(OSError):
    """Kaggle's photos could not be downloaded; the message says why."""


def download_photos(*, anew: bool = False, progress: bool = True) -> Path:
    """Returns the folder of Kaggle's photos, downloaded through kagglehub without an account.

    A failure is remembered for six hours, so that a student without a network does not wait at
    the start of every lesson.

    Args:
        anew: Whether to try in spite of a remembered failure.
        progress: Whether to say what is done and show a line with the time left.

    Returns:
        The folder, in the cache; on Kaggle and Colab it may be the place's own.

    Raises:
        DownloadFailed: If Kaggle cannot be reached, stalls, or failed lately.
    """
    stored = settings.find_stored(STORED_NAME)
    if stored:
        return stored
    if not anew:
        _raise_remembered()
    if progress:
        print(f"Downloading the photos {DATASET} from Kaggle …", flush=True)
    target = settings.cache_dir() / STORED_NAME
    try:
        with made_folder(target) as beside:
            found = _run(beside / "download", progress)
            if not found.is_relative_to(beside):
                return found
            os.rename(found, beside / "photos")
            _remove_all_but(beside, "photos")
    except DownloadFailed as error:
        failed = settings.cache_dir() / FAILED_NAME
        with suppress(OSError):
            note_made(failed)
            with atomic_write(failed) as record:
                record.write_text(json.dumps({"when": time.time(), "why": str(error)}))
        raise
    return target


def _remove_all_but(folder: Path, name: str) -> None:
    for entry in folder.iterdir():
        if entry.name != name:
            shutil.rmtree(entry, ignore_errors=True)


def _raise_remembered() -> None:
    try:
        failed = json.loads((settings.cache_dir() / FAILED_NAME).read_text())
        age, why = time.time() - failed["when"], str(failed["why"])
    except (OSError, ValueError, LookupError, TypeError):
        return  # Nothing remembered.
    if 0 <= age < REMEMBERED:  # A clock set back forgets.
        raise DownloadFailed(
            f"it failed {age / 60:.0f} minutes ago ({why}); python -m course_utils fetch tries "
            "again"
        )


def _run(folder: Path, progress: bool) -> Path:
    """Runs kagglehub into a folder and returns where the photos lie."""
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
            # kagglehub's own bar says how far it is.
            shares = re.findall(rb"(\d+)%\|", b"".join(written[-5:]))
            if shares and int(shares[-1]) > line.done:
                line.advance(int(shares[-1]) - line.done)
