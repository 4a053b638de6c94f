"""Opens lessons as from a badge: alone in an empty folder, on a machine that calls itself Colab's
or Kaggle's; git clones this checkout. It fails if a cell does, or if a package has changed.

    COLAB_RELEASE_TAG=test python environments/open_badge.py 00 02
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from course_utils.lessons import first_cell, notebooks  # noqa: E402 (the course is not installed)


def main() -> None:
    """Executes the lessons named on the command line; compares the packages before and after."""
    os.environ |= {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{PROJECT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": first_cell.ADDRESS,
    }
    # No path to this checkout: the kernels are to find the one that they clone.
    os.environ.pop("PYTHONPATH", None)
    work = Path(tempfile.mkdtemp(prefix="badge-"))
    before, failed = _list_packages(), False
    for path in notebooks.choose_lessons(sys.argv[1:]):
        notebook = nbformat.read(path, as_version=4)
        if not any(map(first_cell.is_first_cell, notebook.cells)):
            notebook.cells.insert(0, nbformat.v4.new_code_cell(first_cell.CELL))
        start = time.monotonic()
        notebooks.build_client(notebook, work / path.name, allow_errors=True).execute()
        errors = [
            f"  cell {number}: {output.ename}: {output.evalue}"
            for number, _, output in notebooks.find_errors(notebook)
        ]
        failed |= bool(errors)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        said = "".join(output.get("text", "") for output in first.outputs)
        outcome = "FAILED" if errors else "ok"
        print(path.name, outcome, f"{time.monotonic() - start:.0f} s.", said.strip(), flush=True)
        print(*errors, sep="\n", end="\n" if errors else "", flush=True)
    after = _list_packages()
    print(f"Packages changed: {sorted(before - after)}, added: {sorted(after - before)}")
    sys.exit(failed or bool(before - after))


def _list_packages() -> set[str]:
    words = [sys.executable, "-m", "pip", "freeze"]
    return {*subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()}


if __name__ == "__main__":
    main()
