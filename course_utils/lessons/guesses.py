"""Stores students' guesses and bets, and shows them beside what was measured."""

import html
import json
from collections.abc import Sequence
from pathlib import Path

from course_utils.core import cache, environment
from course_utils.core.checks import check_fraction
from course_utils.core.display import view_widget
from course_utils.core.entries import ENDING

CLASS_FILE = "class-guesses.json"  # what `class` writes, and `reveal` looks for
SHOWN = 3  # different guesses of the class that a lesson shows

# The box where nothing runs.
STILL = (
    '<div style="border: 1px solid #bbb; border-radius: 6px; padding: 8px 12px; '
    'max-width: 640px"><b>Your guess.</b> {}<br><i>Run the notebook to get a box to write in.</i>'
    "</div>"
)


def load_guesses(kind: str = "guesses") -> dict:
    """Returns all guesses or bets stored so far.

    If the file is damaged, the kit says so, keeps it under another name, and starts with an
    empty one.

    Args:
        kind: `"guesses"` or `"bets"`.

    Returns:
        From a question's name to the guess, a text, or to the bet, a pair of the answer and how
        sure the student was.
    """
    return cache.load_own(kind + ENDING)


def _keep(kind: str, question: str, answer) -> None:
    cache.save_own(kind + ENDING, load_guesses(kind) | {question: answer})


def keep_guess(question: str, answer: str) -> None:
    """Keeps a guess in place of an earlier one. An empty one leaves the earlier one.

    Args:
        question: The question's name, as in `guess`.
        answer: The guess.
    """
    if answer.strip():
        _keep("guesses", question, answer.strip())


class GuessBox:
    """A question with a box for a guess, which is kept as it is written.

    Show it as the last line of a cell. `reveal` prints what is kept beside the outcome. Without
    widgets, and on pages that run nothing, it is the question alone.

    Args:
        question: The question's name, such as `"gap"`: what the guess is kept under.
        prompt: The question itself, in a sentence or two.
    """

    def __init__(self, question: str, prompt: str):
        import ipywidgets as widgets

        self._question = question
        self._prompt = prompt
        self.text = widgets.Textarea(
            value=load_guesses().get(question, ""),
            placeholder="Your guess, in your own words",
            continuous_update=False,  # Kept when you leave the box, not with every letter.
            layout={"width": "min(100%, 640px)", "height": "56px"},
        )
        self._state = widgets.HTML()
        self.text.observe(self._keep, "value")
        asked = widgets.HTML(f"<b>Your guess.</b> {html.escape(prompt)}")
        self.widget = widgets.VBox([asked, self.text, self._state])

    def _keep(self, change: dict) -> None:
        keep_guess(self._question, change["new"])
        kept = change["new"].strip()
        self._state.value = "Saved. You can change it until you look." if kept else ""

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        """Returns the live widget and, for pages that run nothing, a picture of words."""
        data: dict = view_widget(self.widget)
        data["text/plain"] = f"Your guess. {self._prompt}"
        data["text/html"] = STILL.format(html.escape(self._prompt))
        return data


def guess(question: str, prompt: str) -> GuessBox:
    """Asks for a guess and keeps it; `reveal` later shows it beside the outcome.

    A later guess replaces an earlier one, unless it is empty. Every lesson uses it.

    Args:
        question: The question's name, such as `"gap"`.
        prompt: The question itself, in a sentence or two.

    Returns:
        A text box. Show it as the last line of a cell.

    Raises:
        TypeError: If one of them is not text.

    Example:
        >>> box = guess("gap", "Will the gap grow?")
        >>> box.text.value = "It shrinks."
        >>> load_guesses()
        {'gap': 'It shrinks.'}
    """
    if not isinstance(question, str) or not isinstance(prompt, str):
        raise TypeError(
            f"Expected a question's name and the question, both as text, received {question!r} "
            f'and {prompt!r}. Write for example guess("gap", "Will the gap grow?").'
        )
    return GuessBox(question, prompt)


def find_class_guesses() -> Path | None:
    """Returns the file of the class's guesses, in the prepared folder or the cache, or `None`."""
    folders = (environment.prepared_dir(), environment.cache_dir())
    files = (folder / CLASS_FILE for folder in folders if folder)
    return next((path for path in files if path.is_file()), None)


def describe_class(question: str) -> str:
    """Returns what the class guessed, in a sentence; empty without a file or guesses.

    Args:
        question: The question's name, as in `guess`.

    Example:
        >>> describe_class("gap")
        ''
    """
    path = find_class_guesses()
    if path is None:
        return ""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        counted = [(str(text), int(number)) for text, number in content.get(question, ())]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return (
            f"Expected the class's guesses in {path}, found what cannot be read "
            f"({type(error).__name__}). Write the file again with python -m course_utils class."
        )
    if not counted:
        return ""
    total = sum(number for _, number in counted)
    shown = [f"{text} ({number})" for text, number in counted[:SHOWN]]
    others = total - sum(number for _, number in counted[:SHOWN])
    shown += [f"something else ({others})"] if others else []
    return f"Your class guessed ({total} guesses): {' | '.join(shown)}"


def reveal(question: str, outcome: str) -> None:
    """Prints the outcome, under your guess if there is one.

    If the instructor has handed out what the class guessed, the class's most frequent guesses
    stand between the two.

    Args:
        question: The question's name, as in `guess`.
        outcome: What was measured or seen, in words.

    Example:
        >>> keep_guess("gap", "It shrinks.")
        >>> reveal("gap", "from 0.24 to 0.13")
        You guessed: It shrinks.
        It turned out: from 0.24 to 0.13
    """
    guessed = load_guesses().get(question)
    if guessed:
        print(f"You guessed: {guessed}")
    if of_class := describe_class(question):
        print(of_class)
    print(f"It turned out: {outcome}")


def bet(question: str, answer: str, *, choices: Sequence[str], sure: float = 0.5) -> None:
    """Stores your bet, which `score_bet` later scores.

    A later bet replaces an earlier one, unless it is empty. Exercise 03 uses it.

    Args:
        question: The question's name, such as `"flip"`.
        answer: One of the choices; leave it empty until you have decided.
        choices: The possible outcomes.
        sure: How sure you are, from 0 to 1: the fraction of such bets that you expect to win.

    Raises:
        TypeError: If `sure` is not a number.
        ValueError: If the answer is not one of the choices, or `sure` is outside of 0 to 1.

    Example:
        >>> bet("flip", "better", choices=("better", "worse", "can't tell"), sure=0.7)
        Kept.
    """
    if not isinstance(answer, str) or not answer.strip():
        print(f"No bet yet: put one of {', '.join(map(repr, choices))} in the quotes.")
        return
    written = answer.strip().casefold().replace("’", "'")  # word processors write "can’t"
    chosen = next((choice for choice in choices if choice.casefold() == written), None)
    if chosen is None:
        raise ValueError(
            f"Expected a bet on one of {', '.join(map(repr, choices))}, received {answer!r}."
        )
    _keep("bets", question, [chosen, check_fraction("sure", sure)])
    print("Kept.")


def score_bet(question: str, outcome: str) -> None:
    """Prints your bet, its outcome, and its Brier score.

    The score is the squared difference between `sure` and the outcome (1 if you win, 0 if you
    lose). It is 0 if you were 100% sure and won, 1 if you were 100% sure and lost, and 0.25 at
    50%. In the long run, saying what you believe scores best.

    Args:
        question: The question's name, as in `bet`.
        outcome: The choice that turned out to be right.

    Source:
        Brier, Verification of forecasts expressed in terms of probability, Monthly Weather
        Review 78 (1950), 1-3.

    Example:
        >>> bet("flip", "better", choices=("better", "worse", "can't tell"), sure=0.7)
        Kept.
        >>> score_bet("flip", "can't tell")
        You bet on 'better', 70% sure. It turned out: "can't tell".
        Score: 0.49 (0 is best, 1 is worst; being 50% sure always scores 0.25).
    """
    kept = load_guesses("bets").get(question)
    if kept is None:
        print(f"You have bet nothing. It turned out: {outcome}.")
        return
    answer, sure = kept
    score = (sure - (answer == outcome)) ** 2
    print(f"You bet on {answer!r}, {sure:.0%} sure. It turned out: {outcome!r}.")
    print(f"Score: {score:.2f} (0 is best, 1 is worst; being 50% sure always scores 0.25).")
