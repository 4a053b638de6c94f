"""A question of an exercise: `check`, `hint`, `solution`, and the box that they answer with.

A check has two steps. `observe` runs what the student wrote and returns plain arrays, numbers and
text; `judge` looks at these and runs nothing of the student's. In a notebook both steps follow each
other. The grader (`course_utils/grading`) observes in a sandbox and judges outside of it.

An answer that was left as `...` is not attempted. What a student hands in may be anything, so a
check never lets an exception out: whatever goes wrong comes back as a sentence.
"""

import html
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from course_utils.core import environment
from course_utils.exercises.framework.reading import Misread, count_blanks, quote_error

NOT_ATTEMPTED, RIGHT, NOT_YET, ERROR = "not attempted", "right", "not yet", "error"
STATES = (RIGHT, NOT_YET, ERROR, NOT_ATTEMPTED)
NBGRADER = "NBGRADER_EXECUTION"  # set by nbgrader, to "validate" or "autograde"
GRADING = "COURSE_GRADING"  # set in the grader's sandbox, where no solution is shown
PROBE_SEED = 7  # of the probes that a check in a notebook uses; the grader takes others


@dataclass(frozen=True)
class Look:
    """How a state is shown: a sign and a word say what the color says."""

    sign: str
    word: str
    border: str
    background: str


# Borders from Okabe and Ito's palette; dark text on a light background of its own, so that a dark
# page changes nothing.
LOOKS = {
    NOT_ATTEMPTED: Look("○", "Not attempted", "#555555", "#eeeeee"),
    RIGHT: Look("✓", "Right", "#009E73", "#e3f5ef"),
    NOT_YET: Look("→", "Not yet", "#D55E00", "#fdeee3"),
    ERROR: Look("!", "Error", "#0072B2", "#e5f1f9"),
    "hint": Look("?", "Hint", "#E69F00", "#fdf5e1"),
    "solution": Look("=", "Solution", "#CC79A7", "#f9eff4"),
}


@dataclass(frozen=True)
class Box:
    """One reply of the kit, as text and as a colored box.

    Args:
        question: The question's name, such as `"q1"`.
        state: One of the four states, or `"hint"` or `"solution"`.
        message: Sentences; words in backticks are shown as code.
        code: Python source shown below them, or nothing.
    """

    question: str
    state: str
    message: str
    code: str = ""

    def __str__(self) -> str:
        below = "\n\n" + self.code if self.code else ""
        return f"{self.question}: {LOOKS[self.state].word.lower()}. {self.message}{below}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._to_html()}

    def _to_html(self) -> str:
        look = LOOKS[self.state]
        message = re.sub(
            r"`([^`]+)`",
            '<code style="color:#1a1a1a;background:#ffffff">\\1</code>',
            html.escape(self.message, quote=False).replace("\n\n", "<br><br>"),
        )
        code = ""
        if self.code:
            code = (
                '<pre style="color:#1a1a1a;background:#ffffff;padding:8px;margin:8px 0 0">'
                f"{html.escape(self.code, quote=False)}</pre>"
            )
        return (
            f'<div role="status" aria-label="{self.question}: {look.word}" '
            f'style="border-left:6px solid {look.border};background:{look.background};'
            'color:#1a1a1a;padding:8px 12px;margin:4px 0">'
            f'<strong><span aria-hidden="true">{look.sign}</span> {self.question}: '
            f"{look.word}.</strong> {message}{code}</div>"
        )


@dataclass
class Question:
    """One task of an exercise notebook.

    Args:
        name: Such as `"q1"`: what the notebook calls it.
        title: A few words.
        aim: What a student can do who gets it right.
        lesson: The number of the lesson that it follows.
        observe: From the answers to a dict of plain arrays, numbers and text; it may run what the
            student wrote, and raises `Misread` for what cannot be judged. A parameter `probe_seed`
            receives the seed of the probes. `None` for an ungraded task.
        judge: From that dict to `None` if the answer is right, else to a sentence that names the
            mistake; it may raise `Misread` as well.
        sampled: Whether the answer draws random numbers. A mistake then counts only if a second
            observation, with other draws, shows one too.
        praise: What to say to a right answer.
        hints: From a nudge to nearly all.
        explanation: Why the solution is right, and why other answers are not.
        code: The solution, as source for the answer's cell.
        misconceptions: Keys of `misconceptions.MISCONCEPTIONS` that it works against.
        context: The parameters of `observe` that the notebook made, not the student; the grader
            passes `None` for them.
        measure: From what was observed to what the grader puts in place of the context's parts.
    """

    name: str
    title: str
    aim: str
    lesson: str
    explanation: str
    code: str
    observe: Callable[..., dict[str, Any]] | None = None
    judge: Callable[[Mapping[str, Any]], str | None] | None = None
    sampled: bool = False
    praise: str = ""
    hints: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    measure: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    _hinted: int = field(default=0, repr=False)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names that `check` takes, in order."""
        if self.observe is None:
            return ()
        return tuple(
            name for name in inspect.signature(self.observe).parameters if name != "probe_seed"
        )

    def check(self, *answers: Any, **named: Any) -> Box:
        """Judges an answer; the arguments are those of the notebook's check cell.

        Returns:
            A `Box`; raises nothing but `KeyboardInterrupt`, whatever is handed in.

        Raises:
            AssertionError: While nbgrader runs the notebook, if the answer is not right: nbgrader
                gives the point of a cell that raises nothing.
        """
        box = self._check(answers, named)
        if environment.read(NBGRADER) and box.state != RIGHT:
            raise AssertionError(str(box))
        return box

    def _check(self, answers: tuple, named: Mapping[str, Any]) -> Box:
        if self.observe is None:
            return Box(
                self.name, NOT_ATTEMPTED, "This task has no check: judge with your own eyes."
            )
        try:
            given = self._bind(answers, named)
        except TypeError:
            return Box(
                self.name,
                ERROR,
                f"Expected `{self.name}.check({', '.join(self.arguments)})`. Call it so.",
            )
        box = self._look(given, PROBE_SEED)
        if self.sampled and box.state == NOT_YET:
            box = self._look(given, PROBE_SEED + 1)
        return box

    def _look(self, given: Mapping[str, Any], probe_seed: int) -> Box:
        try:
            return self.decide(self.look(given, probe_seed=probe_seed))
        except KeyboardInterrupt:
            raise  # The student stopped the cell.
        except BaseException as error:  # A student's code may even raise SystemExit.
            return Box(self.name, ERROR, _say_failed(error))

    def _bind(self, answers: tuple, named: Mapping[str, Any]) -> dict[str, Any]:
        parameters = [
            each
            for each in inspect.signature(self.observe).parameters.values()
            if each.name != "probe_seed"
        ]
        return dict(inspect.Signature(parameters).bind(*answers, **named).arguments)

    def look(self, given: Mapping[str, Any], *, probe_seed: int) -> dict[str, Any]:
        """Observes an answer; this runs what the student wrote.

        Args:
            given: The answers by the names of `arguments`.
            probe_seed: Of the probes.

        Returns:
            What `observe` returned; or the key `"blank"` with how many answers are blank and how
            many there are; or the key `"misread"` with a sentence.
        """
        own = [value for key, value in given.items() if key not in self.context]
        blank, count = count_blanks(own)
        if blank:
            return {"blank": [blank, count]}
        seeded = "probe_seed" in inspect.signature(self.observe).parameters
        try:
            return self.observe(**given, **({"probe_seed": probe_seed} if seeded else {}))
        except Misread as misread:
            return {"misread": str(misread)}
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # A student's code may even raise SystemExit.
            return {"misread": _say_failed(error)}

    def decide(self, observed: Mapping[str, Any]) -> Box:
        """Judges what was observed; this runs nothing that the student wrote.

        Args:
            observed: What `look` returned.
        """
        if "blank" in observed:
            blank, count = observed["blank"]
            if blank == count:
                return Box(
                    self.name,
                    NOT_ATTEMPTED,
                    "Replace the `...` in the cell above, run it, then run this cell again.",
                )
            return Box(
                self.name,
                NOT_YET,
                f"{blank} of {count} answers are still blank. Fill in what is left.",
            )
        if "misread" in observed:
            return Box(self.name, ERROR, str(observed["misread"]))
        try:
            mistake = self.judge(observed)
        except Misread as misread:
            return Box(self.name, ERROR, str(misread))
        return Box(self.name, NOT_YET, mistake) if mistake else Box(self.name, RIGHT, self.praise)

    def hint(self) -> Box:
        """Returns the next hint, a stronger one each time."""
        if not self.hints:
            return Box(self.name, "hint", "This task has no hints.")
        number = min(self._hinted, len(self.hints) - 1)
        self._hinted = number + 1
        more = (
            ""
            if number + 1 < len(self.hints)
            else f" (This was the last hint; `{self.name}.solution()` shows an answer.)"
        )
        text = f"({number + 1} of {len(self.hints)}) {self.hints[number]}{more}"
        return Box(self.name, "hint", text)

    def solution(self) -> Box:
        """Returns one right answer, and why it is right and others are not."""
        if environment.read(GRADING):
            return Box(self.name, "solution", "Solutions are not shown while answers are graded.")
        return Box(self.name, "solution", self.explanation, self.code)


def _say_failed(error: BaseException) -> str:
    return (
        f"Your answer could not be checked: {quote_error(error)} Run it yourself on a photo to "
        "see where."
    )
