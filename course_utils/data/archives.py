"""Unpacks the photos of a zip archive, and nothing else of it, into a folder of their own."""

import errno
import hashlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_utils.core.files import readable_name
from course_utils.core.manifest import made_folder
from course_utils.data.folders import SPLITS
from course_utils.data.images import is_photo

MOST_PHOTOS = 200_000
MOST_BYTES = 20 * 10**9
# Photos are compressed already: what unpacks to more than this many times its size is a bomb.
MOST_RATIO = 20
SMALL = 10**7  # bytes that no ratio is asked of: synthetic pictures compress well
CHUNK = 2**20

# What reading a damaged archive raises.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    # An OSError only where the archive sends the reader to a place that cannot be.
    *(ValueError, LookupError, OverflowError, OSError),
)


class NoPhotos(ValueError):
    """A zip archive without train|valid / two classes of photos."""


def unpack_photos(archive: Path, folder: Path, *, looked_at_first: Sequence[Path] = ()) -> Path:
    """Unpacks the photos of train|valid / two classes, however deep in the archive they lie.

    A photo's place is built from four checked names, so that nothing in the archive can name a
    place outside `folder`; links, hidden files and whatever is no photo are left out.

    Args:
        archive: A zip file.
        folder: Where the unpacked folders go, one an archive.
        looked_at_first: Other folders where it may lie unpacked already.

    Returns:
        The folder with train and valid, unpacked whole; it is taken as it stands where it
        exists.

    Raises:
        NoPhotos: If the archive holds no such layout.
        ValueError: If it is damaged, encrypted, or a bomb.
        OSError: If the file cannot be read, or the folder not be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            chosen = _choose_members(opened, archive)
            name = _fingerprint(chosen)
            places = [place / name for place in (*looked_at_first, folder)]
            target = next((place for place in places if place.is_dir()), places[-1])
            if not target.is_dir():
                with made_folder(target) as beside:
                    for photo, member in chosen.items():
                        place = beside / photo
                        place.parent.mkdir(parents=True, exist_ok=True)
                        with opened.open(member) as packed, open(place, "wb") as unpacked:
                            shutil.copyfileobj(packed, unpacked, CHUNK)
            return target
    except NoPhotos:
        raise
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ValueError(
            f"Expected a whole zip archive, received {readable_name(archive)}, which cannot be "
            f"unpacked ({str(error) or type(error).__name__}). Download it again, or take it away."
        ) from error


def _choose_members(opened: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """Returns the photos by split/class/name, once they are known to be no bomb."""
    chosen, roots = {}, set()
    for member in opened.infolist():
        # The parts from train or valid on; where there are several, the last.
        *root, split, class_name, name = ("", "", "", *PurePosixPath(member.filename).parts)
        if split in SPLITS and _is_plain(class_name) and _is_plain(name) and is_photo(name):
            if stat.S_ISLNK(member.external_attr >> 16) or "__MACOSX" in root:
                continue
            chosen[f"{split}/{class_name}/{name}"] = member
            roots.add(tuple(root))
    if len(roots) != 1 or {name.split("/")[0] for name in chosen} != set(SPLITS):
        what = f"{len(roots)} places with such folders" if len(roots) > 1 else "none"
        raise NoPhotos(
            "Expected one place with the folders train and valid, each with one folder of photos "
            f"a class, in {readable_name(archive)}, received {what}."
        )
    packed = archive.stat().st_size
    unpacked = sum(member.file_size for member in chosen.values())
    if len(chosen) > MOST_PHOTOS or unpacked > min(MOST_BYTES, max(SMALL, MOST_RATIO * packed)):
        raise ValueError(
            f"{len(chosen):,} photos of {unpacked / 1e6:,.0f} MB out of {packed / 1e6:,.1f} MB: "
            "too many for photos"
        )
    return chosen


def _is_plain(part: str) -> bool:
    """Whether a name stays where it is put, on Windows too."""
    return part[0] not in "._ " and not part.endswith((" ", ".")) and not set(part) & set("\\:/\0")


def _fingerprint(chosen: dict[str, zipfile.ZipInfo]) -> str:
    """Changes whenever a photo does, and not with the archive's name or date."""
    facts = sorted((name, member.CRC, member.file_size) for name, member in chosen.items())
    return "zip-" + hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
