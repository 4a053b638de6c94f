"""Executes notebooks, two at a time where memory allows, and measures time and memory of each."""

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

from course_utils.core.files import atomic_write
from course_utils.core.progress import Progress, describe_seconds
from course_utils.lessons import notebooks

# A lesson's kernel with TensorFlow took 0.8 to 2.0 GB in the quick profile; the rest is room.
MEMORY_PER_NOTEBOOK = 3 * 10**9
MOST_AT_ONCE = 2
SLOWEST = 3
LOOK_EVERY = 0.2  # seconds between two looks at a kernel's memory


@dataclass(frozen=True)
class Cell:
    """A code cell that was executed.

    Args:
        number: Its place among all cells, from 0.
        seconds: How long it took.
        first_line: Of its source.
    """

    number: int
    seconds: float
    first_line: str

    def __str__(self) -> str:
        return f"{describe_seconds(self.seconds):>11}  cell {self.number}: {self.first_line}"


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook.

    Args:
        name: The notebook's, below notebooks/, without its ending.
        seconds: From the kernel's start to its end.
        peak_memory: The most memory that the kernel held at one look, in bytes; files that it
            maps, and may share with others, count.
        cells: Its code cells, the slowest first.
        failures: One line for each cell that failed; empty if all went well.
        page: Where the executed notebook lies as HTML.
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
    """Executes notebooks whole, also past a cell that fails; the notebooks stay as they are.

    Args:
        paths: The notebooks.
        folder: Where their pages go.
        at_once: How many run at the same time; as many as memory allows, two at the most, where
            it is `None`.
        report: Called with each outcome as it comes.
        progress: Whether a line shows how far it is.

    Returns:
        The outcomes, in the order of `paths`.
    """
    work = _check_all(paths, folder, at_once or choose_at_once(), report=report, progress=progress)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # Called from within a notebook, say, where a loop runs already: a thread has one of its own.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def choose_at_once() -> int:
    """Returns how many notebooks this machine's free memory and cores allow at a time."""
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
    begun, cells, failures = {}, [], []

    def finish(cell, cell_index, **_):
        first_line = next(iter(cell.source.strip().splitlines()), "")
        seconds = time.perf_counter() - begun[cell_index]
        cells.append(Cell(cell_index, seconds, first_line))
        line.advance()

    client = notebooks.build_client(
        notebook,
        path,
        allow_errors=True,
        on_cell_execute=lambda cell_index, **_: begun.update({cell_index: time.perf_counter()}),
        on_cell_executed=finish,
        on_notebook_start=_let_interrupts_pass,
    )
    start = time.perf_counter()
    watch = asyncio.create_task(_watch_memory(client))
    try:
        await client.async_execute()
    # A kernel that dies or never starts is this notebook's outcome; the others go on.
    except Exception as error:
        failures.append(f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    watch.cancel()
    failures += _list_failures(notebook)
    page = folder / f"{name}.html"
    with atomic_write(page) as beside:
        beside.write_text(notebooks.to_html(notebook), encoding="utf-8")
    slowest = sorted(cells, key=lambda cell: -cell.seconds)
    peak = await watch
    return Outcome(name, seconds, peak, slowest, failures, page)


def _let_interrupts_pass(**_) -> None:
    """Takes nbclient's signal handlers off: they end one kernel and let this process go on."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(number)


async def _watch_memory(client) -> int:
    """Returns, once cancelled, the most memory that the kernel has held."""
    peak = 0
    with suppress(asyncio.CancelledError):
        while True:
            provisioner = getattr(client.km, "provisioner", None)
            pid = getattr(provisioner, "pid", None)
            with suppress(psutil.Error):
                peak = max(peak, psutil.Process(pid).memory_info().rss if pid else 0)
            await asyncio.sleep(LOOK_EVERY)
    return peak


def _list_failures(notebook) -> list[str]:
    """Returns a line for each cell that failed, but for those that are to fail."""
    return [
        f"cell {number}: {output.ename}: {output.evalue}"
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "error"
    ]
