"""Runs in the sandbox: the kit's notebook with a student's answers, which it observes.

The grader writes commands to one pipe and reads plain values from another; what a student's code
prints goes to a third. Nothing here decides whether an answer is right.
"""

import contextlib
import importlib
import json
import linecache
import os
import resource
import sys
from typing import Any

from course_utils.exercises.framework.questions import GRADING, Question
from course_utils.exercises.framework.reading import quote_error
from course_utils.grading.messages import pack

LARGEST_FILE = 64 * 10**6  # bytes that one file may have


def main() -> None:
    """Serves the grader until it closes the pipe of commands."""
    commands, results = (int(word) for word in sys.argv[1:3])
    os.environ[GRADING] = "1"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    with os.fdopen(commands, "rb") as asked, os.fdopen(results, "wb") as told:
        job = json.loads(asked.readline())
        notebook = _Notebook(job)
        for line in asked:
            told.write(pack(notebook.observe(**json.loads(line))))
            told.flush()


class _Notebook:
    """The kit's notebook, run as far as was asked for."""

    def __init__(self, job: dict[str, Any]):
        from course_utils.core.backend import import_tensorflow

        import_tensorflow()
        import matplotlib

        matplotlib.use("agg")
        module = importlib.import_module("course_utils.exercises.framework.report")
        self.questions: dict[str, Question] = {
            each.name: each for each in module.EXERCISES[job["number"]][1]
        }
        self.cells, self.answers = job["cells"], job["answers"]
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.place, self.failed = 0, {}

    def observe(self, question: str, probe_seed: int) -> dict[str, Any]:
        """Runs the cells up to a question's check and observes its answer."""
        while self.place < len(self.cells):
            cell = self.cells[self.place]
            if cell["checks"] == question:
                break
            self.place += 1
            answered = cell["question"]
            if answered:
                source = self.answers.get(answered)
                if source is not None and (error := self._run(source, f"<{answered}>")):
                    self.failed[answered] = error
            elif cell["source"] and (error := self._run(cell["source"], f"<kit {self.place}>")):
                return {"broken": error}
        if question in self.failed:
            return {"misread": f"Your answer's cell failed: {self.failed[question]}"}
        asked = self.questions[question]
        given = {}
        for name in asked.arguments:
            if name in asked.context:
                given[name] = None
            elif name not in self.names:
                return {"misread": f"Your answer does not set `{name}`."}
            else:
                given[name] = self.names[name]
        return asked.look(given, probe_seed=probe_seed)

    def _run(self, source: str, name: str) -> str | None:
        # As in a notebook, so that TensorFlow finds the source of a function that `map` gets.
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        try:
            exec(compile(source, name, "exec"), self.names)
        except BaseException as error:  # A student's code may even raise SystemExit.
            return quote_error(error)
        return None


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
