"""Executes notebooks, two at a time if memory allows, and measures each one's time and memory."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

from course_utils.core.files import atomic_write, check_writable
from course_utils.core.progress import Progress, describe_seconds
from course_utils.lessons import notebooks

# In bytes. A lesson's kernel took 0.8 to 2.0 GB in the quick profile; the rest is a margin.
MEMORY_PER_NOTEBOOK = 3 * 10**9
MOST_AT_ONCE = 2
SLOWEST = 3
LOOK_EVERY = 0.2  # seconds between two measurements of a kernel's memory


@dataclass(frozen=True)
class Cell:
    """A code cell that was executed.

    Args:
        number: Its place among all cells, from 0.
        seconds: How long it took.
        first_line: The first line of its source.
    """

    number: int
    seconds: float
    first_line: str

    def __str__(self) -> str:
        return f"{describe_seconds(self.seconds):>11}  cell {self.number}: {self.first_line}"


@dataclass(frozen=True)
class Outcome:
    """The result of executing one notebook.

    Args:
        name: The notebook's path in notebooks/, without its extension.
        seconds: From the start of the kernel to its end.
        peak_memory: The most memory that the kernel held, in bytes, without files that it maps,
            which the system takes back where memory is short.
        cells: Its code cells, the slowest first.
        failures: One line for each cell that failed; empty if no cell failed.
        page: The executed notebook as an HTML file.
    """

    name: str
    seconds: float
    peak_memory: int
    cells: Sequence[Cell]
    failures: Sequence[str]
    page: Path

    def __str__(self) -> str:
        word = f"{len(self.failures)} FAILED" if self.failures else "ok"
        return (
            f"{self.name:<36} {word:<9} {describe_seconds(self.seconds):>11} "
            f"{self.peak_memory / 1e9:5.1f} GB"
        )


def check_notebooks(
    paths: Sequence[Path],
    folder: Path,
    *,
    at_once: int | None = None,
    report: Callable[[Outcome], None] = print,
    progress: bool = True,
) -> list[Outcome]:
    """Executes notebooks and measures them; the notebooks themselves do not change.

    It does not stop at a cell that fails.

    Args:
        paths: The notebooks.
        folder: Where to write their pages.
        at_once: How many run at the same time; `None` means as many as memory allows, at most
            two.
        report: Called with each notebook's outcome when it is finished.
        progress: Whether to show a progress line.

    Returns:
        The outcomes, in the order of `paths`.

    Raises:
        OSError: If the folder cannot be written; that is checked before a notebook runs.
    """
    check_writable(folder)
    work = _check_all(paths, folder, at_once or choose_at_once(), report=report, progress=progress)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # In a notebook, an event loop is already running: use a thread, which has its own.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def choose_at_once() -> int:
    """Returns how many notebooks can run at the same time, by free memory and cores."""
    room = psutil.virtual_memory().available // MEMORY_PER_NOTEBOOK
    return max(1, min(MOST_AT_ONCE, room, os.cpu_count() or 1))


async def _check_all(paths, folder, at_once, *, report, progress) -> list[Outcome]:
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    cells = sum(cell.cell_type == "code" for notebook in notebooks for cell in notebook.cells)
    turns = asyncio.Semaphore(at_once)
    with Progress(cells, "Cells", shown=progress) as line:

        async def check(path, notebook):
            async with turns:
                outcome = await _check_one(path, notebook, folder, line)
            line.clear()
            report(outcome)
            return outcome

        return await asyncio.gather(*map(check, paths, notebooks))


async def _check_one(path: Path, notebook, folder: Path, line: Progress) -> Outcome:
    name = notebooks.name_below_notebooks(path)
    cells, failures = [], []

    def finish(number, seconds):
        first_line = next(iter(notebook.cells[number].source.strip().splitlines()), "")
        cells.append(Cell(number, seconds, first_line))
        line.advance()

    client = notebooks.build_client(
        notebook, path, before_cell=_let_interrupts_pass, after_cell=finish, allow_errors=True
    )
    start = time.perf_counter()
    watch = asyncio.create_task(_watch_memory(client))
    try:
        await client.async_execute()
    # A kernel that dies or does not start is this notebook's outcome; the others continue.
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    watch.cancel()
    failures += [
        f"cell {number}: {output.ename}: {output.evalue}"
        for number, _, output in notebooks.find_errors(notebook)
    ]
    page = folder / f"{name}.html"
    with atomic_write(page) as beside:
        beside.write_text(notebooks.to_html(notebook), encoding="utf-8")
    slowest = sorted(cells, key=lambda cell: -cell.seconds)
    peak = await watch
    return Outcome(name, seconds, peak, slowest, failures, page)


def _let_interrupts_pass() -> None:
    """Removes nbclient's signal handlers, which end one kernel but not this process."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(number)


async def _watch_memory(client) -> int:
    """Returns, once cancelled, the most memory that the kernel has held, in bytes."""
    peak = 0
    with suppress(asyncio.CancelledError):
        while True:
            provisioner = getattr(client.km, "provisioner", None)
            pid = getattr(provisioner, "pid", None)
            with suppress(psutil.Error):
                peak = max(peak, _measure_memory(pid) if pid else 0)
            await asyncio.sleep(LOOK_EVERY)
    return peak


def _measure_memory(pid: int) -> int:
    """Returns the anonymous memory of a process in bytes, or all of it where it is not known."""
    info = psutil.Process(pid).memory_info()
    return info.rss - getattr(info, "shared", 0)
