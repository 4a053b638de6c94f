"""What the kit writes into its cache, by name, and how that is removed again."""

import shutil
from fnmatch import fnmatch
from pathlib import Path

from course_utils.core import settings
from course_utils.core.files import folder_size

# Below the cache, by the names that the kit gives: what can be computed or drawn again, and what
# takes a download. Whatever else lies there is the student's, predictions and pictures too.
COMPUTED = (
    *(
        "features/*/*.npy",
        "pixels/*.npy",
        "pixels/*.json",
        "synthetic/v[0-9]*",
        "synthetic/.v[0-9]*",
    ),
    *("models/*.keras", "comparisons/*.npz", "machine.json"),
)
DOWNLOADED = (
    *("weights/*.npz", "photos/zip-*", "photos/.zip-*", "photos/kaggle", "photos/.kaggle.*"),
    "photos/kaggle-failed.json",
)


def is_own(path: Path) -> bool:
    """Whether a file of a cache is the student's own, and none that the kit can make again.

    Args:
        path: The file's path below the cache's folder.
    """
    # Also matches what lies in a folder of such a name: fnmatch's star passes slashes.
    written = (*COMPUTED, *(f"{pattern}/*" for pattern in DOWNLOADED), *DOWNLOADED)
    return not any(fnmatch(path.as_posix(), pattern) for pattern in written)


def clean_cache(*, everything: bool) -> int:
    """Removes what the kit wrote into the cache; own pictures, even there, are never touched.

    Args:
        everything: Whether downloads go too.

    Returns:
        How many bytes were freed.
    """
    folder = settings.cache_dir()
    freed = 0
    for pattern in (*COMPUTED, *DOWNLOADED) if everything else COMPUTED:
        for path in list(folder.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                freed += folder_size(path)
                shutil.rmtree(path)
            else:
                freed += path.lstat().st_size
                path.unlink()
            for above in path.parents:
                if above == folder or any(above.iterdir()):
                    break
                above.rmdir()
    return freed
