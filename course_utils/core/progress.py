"""A progress line for long computations, in a terminal and in a notebook."""

import sys
import time


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    from_ipython = sys.modules.get("IPython")
    shell = from_ipython.get_ipython() if from_ipython else None
    return shell is not None and hasattr(shell, "kernel")


def describe_seconds(seconds: float) -> str:
    """Returns a duration in words: "under 1 s", "42 s", "3 min 10 s", "2 h 5 min".

    Args:
        seconds: The duration in seconds.
    """
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """A line with the percentage done and the time left, used in a `with` statement.

    In a notebook the line is an output that is updated, and a saved notebook keeps its last
    state. In a terminal the line is overwritten, and removed at the end. Nothing is written if
    the output goes to a file.

    Args:
        total: The number of steps.
        title: What is being done.
        shown: Whether to show the line.
    """

    def __init__(self, total: int, title: str, *, shown: bool = True):
        self.total = total
        self.title = title
        self.done = 0
        self._start = time.monotonic()
        self._written = 0.0
        self._handle = None
        self._shown = shown and total > 0
        self._terminal = sys.stdout.isatty()

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if self._handle:
            # The sentence that stays in the notebook is the same on slow and fast machines.
            ending = "stopped" if error else "done"
            self._handle.update({"text/plain": f"{self.title}: {ending}"}, raw=True)
        else:
            self.clear()

    def clear(self) -> None:
        """Removes the line from a terminal until the next step, so that text can be printed."""
        if self._written and self._terminal:
            print("\r\x1b[2K", end="", flush=True)

    def advance(self, steps: int = 1) -> None:
        """Counts steps as done and updates the line, at most four times a second.

        Args:
            steps: How many more steps are done.
        """
        self.done += steps
        now = time.monotonic()
        if not self._shown or now - self._written < 0.25:
            return
        self._written = now
        left = (now - self._start) / self.done * (self.total - self.done)
        line = f"{self.title}: {self.done / self.total:4.0%}, {describe_seconds(left)} left"
        if in_notebook():
            self._write_in_notebook(line)
        elif self._terminal:
            print(f"\r\x1b[2K{line}", end="", flush=True)

    def _write_in_notebook(self, line: str) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": line}, raw=True)
