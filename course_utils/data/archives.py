"""Unpacks the photos of a zip archive, and no other files, into a folder."""

import errno
import hashlib
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_utils.core.files import readable_name
from course_utils.core.manifest import made_folder
from course_utils.data.folders import (
    IN_A_SUBFOLDER,
    OUTSIDE,
    SPLITS,
    describe_ending,
    is_hidden,
)
from course_utils.data.images import is_photo

MOST_PHOTOS = 200_000
MOST_BYTES = 20 * 10**9
# Photos are compressed already, so an archive that unpacks to more than this many times its size
# is a zip bomb.
MOST_RATIO = 20
SMALL = 10**7  # bytes; smaller archives may have any ratio, since synthetic images compress well
CHUNK = 2**20
UNSAFE = set("\\:/\0")  # in one part of a path, on one system or another

# The errors that reading a damaged archive may raise.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    # An OSError only if the archive names a position outside the file.
    *(ValueError, LookupError, OverflowError, OSError),
)


class NoPhotos(ValueError):
    """A zip archive without folders train and valid, each with folders of photos."""


def unpack_photos(
    archive: Path, folder: Path, *, looked_at_first: Sequence[Path] = ()
) -> tuple[Path, Counter[str]]:
    """Unpacks the photos of an archive's folders train and valid, however deep these are nested.

    Each photo's path is built from four checked names, so that no file can be written outside of
    `folder`. Links, hidden files and files other than photos are left out.

    Args:
        archive: A zip file.
        folder: Where to put the unpacked archives, each in a folder of its own.
        looked_at_first: Other folders that may have the unpacked archive already.

    Returns:
        The folder with train and valid; if it exists already, it is used as it is. And how many
        files were left out, by the reason, as `describe_not_taken` takes it.

    Raises:
        NoPhotos: If the archive has no such folders.
        ValueError: If it is damaged, encrypted, or a zip bomb.
        OSError: If the archive cannot be read, or the folder cannot be written.
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
            return target, _count_not_taken(opened, chosen)
    except NoPhotos:
        raise
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ValueError(
            f"Expected a complete zip archive, received {readable_name(archive)}, which cannot be "
            f"unpacked ({str(error) or type(error).__name__}). Download it again, or remove it."
        ) from error


def _choose_members(opened: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """Returns the photos by split/class/name, and checks that they are not a zip bomb."""
    chosen, roots = {}, set()
    for member in opened.infolist():
        # The path from train or valid on; from the last one, if there are several.
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
            f"per class, in {readable_name(archive)}, received {what}."
        )
    packed = archive.stat().st_size
    unpacked = sum(member.file_size for member in chosen.values())
    if len(chosen) > MOST_PHOTOS or unpacked > min(MOST_BYTES, max(SMALL, MOST_RATIO * packed)):
        raise ValueError(
            f"{len(chosen):,} photos of {unpacked / 1e6:,.0f} MB out of {packed / 1e6:,.1f} MB: "
            "too many for photos"
        )
    return chosen


def _count_not_taken(opened: zipfile.ZipFile, chosen: dict[str, zipfile.ZipInfo]) -> Counter[str]:
    """Counts what was left out by its reason, apart from what is hidden, as folders do."""
    some_photo = next(iter(chosen.values()))
    *root, _, _, _ = PurePosixPath(some_photo.filename).parts
    taken = {member.filename for member in chosen.values()}
    not_taken = Counter()
    for member in opened.infolist():
        parts = PurePosixPath(member.filename).parts
        if member.is_dir() or member.filename in taken or not parts:
            continue
        below = parts[len(root) :] if list(parts[: len(root)]) == root else ()
        if any(part == ".." or set(part) & UNSAFE for part in parts):
            reason = "with an unsafe path"
        elif is_hidden(parts[-1]) or any(part[0] in "._" for part in parts[:-1]):
            continue
        elif stat.S_ISLNK(member.external_attr >> 16):
            reason = "behind a link"
        elif len(below) == 3 and below[0] in SPLITS:
            reason = describe_ending(parts[-1])
        elif len(below) > 3 and below[0] in SPLITS:
            reason = IN_A_SUBFOLDER
        elif is_photo(parts[-1]):
            reason = OUTSIDE
        else:
            continue
        not_taken[reason] += 1
    return not_taken


def _is_plain(part: str) -> bool:
    """Whether a name is safe as one part of a path, on Windows too."""
    return part[0] not in "._ " and not part.endswith((" ", ".")) and not set(part) & UNSAFE


def _fingerprint(chosen: dict[str, zipfile.ZipInfo]) -> str:
    """Returns a name that depends on the photos, not on the archive's name or date."""
    facts = sorted((name, member.CRC, member.file_size) for name, member in chosen.items())
    return "zip-" + hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
