"""One quiet line that says how far a long computation is, in a terminal and in a notebook."""

import sys
import time


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel."""
    from_ipython = sys.modules.get("IPython")
    shell = from_ipython.get_ipython() if from_ipython else None
    return shell is not None and hasattr(shell, "kernel")


def describe_seconds(seconds: float) -> str:
    """Returns a duration in words: "under 1 s", "42 s", "3 min 10 s", "2 h 5 min"."""
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """A line with the share done and the time left, rewritten in place, cleared at the end.

    In a notebook the line is one output that is updated, so that a saved notebook keeps only
    its last state; in a terminal the line is overwritten; where output is piped to a file,
    nothing is written.

    Args:
        total: How many steps there are.
        title: What is being done.
        shown: Whether anything is written at all.
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
            # One stable sentence stays in the notebook, whatever the machine's speed.
            ending = "stopped" if error else "done"
            self._handle.update({"text/plain": f"{self.title}: {ending}"}, raw=True)
        else:
            self.clear()

    def clear(self) -> None:
        """Takes the line off a terminal, until the next step, so that something can be printed."""
        if self._written and self._terminal:
            print("\r\x1b[2K", end="", flush=True)

    def advance(self, steps: int = 1) -> None:
        """Counts steps as done and rewrites the line, four times a second at the most."""
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
