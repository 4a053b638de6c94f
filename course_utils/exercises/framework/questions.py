"""A question of an exercise: `check`, `hint`, `solution`, and the box that answers with.

An answer that was left as `...` is not attempted. What a student hands in may be anything, so a
check never lets an exception out: whatever goes wrong comes back as a sentence.
"""

import html
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_ATTEMPTED, RIGHT, NOT_YET, ERROR = "not attempted", "right", "not yet", "error"
LONGEST_QUOTE = 120  # characters of a student's value or error that a sentence repeats


@dataclass(frozen=True)
class Look:
    """How a state is shown: a sign and a word say what the color says."""

    sign: str
    word: str
    border: str
    background: str


# Borders from Okabe and Ito's palette; dark text on a light ground of its own, so that a dark
# page changes nothing.
LOOKS = {
    NOT_ATTEMPTED: Look("○", "Not attempted", "#555555", "#eeeeee"),
    RIGHT: Look("✓", "Right", "#009E73", "#e3f5ef"),
    NOT_YET: Look("→", "Not yet", "#D55E00", "#fdeee3"),
    ERROR: Look("!", "Error", "#0072B2", "#e5f1f9"),
    "hint": Look("?", "Hint", "#E69F00", "#fdf5e1"),
    "solution": Look("=", "Solution", "#CC79A7", "#f9eff4"),
}


class Misread(Exception):
    """What was handed in cannot be judged; the message says what is expected."""


@dataclass(frozen=True)
class Box:
    """One answer of the kit, as text and as a colored box.

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
        lesson: The number of the lesson it rests on.
        judge: From the answers to `None` where they are right, else to a sentence that names the
            mistake; raises `Misread` for what cannot be judged. `None` for an ungraded task.
        praise: What to say to a right answer.
        hints: From a nudge to nearly all.
        explanation: Why the solution is right, and why its rivals are not.
        code: The solution, as source for the answer's cell.
        misconceptions: Keys of `misconceptions.MISCONCEPTIONS` that it works against.
        context: The arguments of `judge` that the notebook made, not the student.
    """

    name: str
    title: str
    aim: str
    lesson: str
    explanation: str
    code: str
    judge: Callable[..., str | None] | None = None
    praise: str = ""
    hints: tuple[str, ...] = ()
    misconceptions: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    _hinted: int = field(default=0, repr=False)

    def check(self, *answers: Any, **named: Any) -> Box:
        """Judges an answer; the arguments are those of the notebook's check cell.

        Returns:
            A `Box`; never raises, whatever is handed in.
        """
        try:
            bound = inspect.signature(self.judge).bind(*answers, **named).arguments
        except TypeError:
            wanted = ", ".join(inspect.signature(self.judge).parameters)
            return self._say(ERROR, f"Expected `{self.name}.check({wanted})`. Call it so.")
        given = [value for key, value in bound.items() if key not in self.context]
        blank, whole = count_blanks(given)
        if blank == whole:
            return self._say(
                NOT_ATTEMPTED, "Replace the `...` in the cell above, run it, then this one again."
            )
        if blank:
            return self._say(
                NOT_YET, f"{blank} of {whole} answers are still blank. Fill in what is left."
            )
        try:
            mistake = self.judge(**bound)
        except Misread as misread:
            return self._say(ERROR, str(misread))
        except Exception as error:  # The student's own code may raise anything.
            return self._say(
                ERROR,
                f"Your answer could not be tried out: {quote_error(error)} Run it by hand on a "
                "photo to see where.",
            )
        return self._say(NOT_YET, mistake) if mistake else self._say(RIGHT, self.praise)

    def hint(self) -> Box:
        """Returns the next hint, a stronger one each time."""
        number = min(self._hinted, len(self.hints) - 1)
        self._hinted = number + 1
        more = "" if number + 1 < len(self.hints) else f" (The last one; `{self.name}.solution()`.)"
        return self._say("hint", f"({number + 1} of {len(self.hints)}) {self.hints[number]}{more}")

    def solution(self) -> Box:
        """Returns one right answer, and why it is right and its rivals are not."""
        return Box(self.name, "solution", self.explanation, self.code)

    def _say(self, state: str, message: str) -> Box:
        return Box(self.name, state, message)


def is_blank(value: Any) -> bool:
    """Whether a value is one that an unfinished cell leaves."""
    return value is None or value is ... or (isinstance(value, str) and not value.strip(" ._"))


def count_blanks(values: Any) -> tuple[int, int]:
    """Returns how many answers are blank, and how many there are, containers looked into."""
    blank = whole = 0
    for value in values.values() if isinstance(values, Mapping) else values:
        if isinstance(value, Mapping | list | tuple) and len(value):
            inner = count_blanks(value)
            blank, whole = blank + inner[0], whole + inner[1]
        else:
            blank, whole = blank + is_blank(value), whole + 1
    return blank, whole


def quote(value: Any) -> str:
    """Returns a student's value as short text."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # A student's class may have a broken __repr__.
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def quote_error(error: BaseException) -> str:
    """Returns an exception as one short sentence."""
    text = " ".join(str(error).split()).replace("`", "'")
    text = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
    return f"it raised {type(error).__name__}{f' ({text})' if text else ''}."


def read_number(value: Any, what: str) -> float:
    """Returns a number that a student gave.

    Raises:
        Misread: If it is none.
    """
    try:
        if isinstance(value, bool | str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise Misread(
            f"Expected a number for {what}, received {quote(value)}. Write one such as `0.5`."
        ) from None


def read_choice(value: Any, choices: tuple[str, ...], what: str) -> str:
    """Returns the choice that a student named, whatever its case.

    Raises:
        Misread: If it is none of them.
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    named = str(value).strip().strip("\"'").casefold()
    for choice in choices:
        if named == choice.casefold():
            return choice
    raise Misread(
        f"Expected {what} to be one of {', '.join(map(repr, choices))}, received {quote(value)}. "
        "Choose one of them."
    )
