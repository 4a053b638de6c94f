"""Stores students' guesses and bets, and shows them beside what was measured."""

from collections.abc import Sequence

from course_utils.core import cache
from course_utils.core.checks import check_fraction
from course_utils.core.entries import ENDING


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
    print("Kept.")


def guess(question: str, answer: str) -> None:
    """Stores your guess, which `reveal` later shows beside the outcome.

    A later guess replaces an earlier one, unless it is empty. Every lesson uses it.

    Args:
        question: The question's name, such as `"gap"`.
        answer: What you expect, in your own words; leave it empty until you have decided.

    Raises:
        TypeError: If the answer is not text.
    """
    if not isinstance(answer, str):
        raise TypeError(
            f"Expected your guess as text in quotes, received {answer!r}. Write for example "
            '"higher, because …".'
        )
    if not answer.strip():
        print("Nothing written yet: put your guess in the quotes.")
        return
    _keep("guesses", question, answer.strip())


def reveal(question: str, outcome: str) -> None:
    """Prints your guess and, under it, the outcome.

    Args:
        question: The question's name, as in `guess`.
        outcome: What was measured or seen, in words.
    """
    guessed = load_guesses().get(question) or "(you have written nothing)"
    print(f"You guessed: {guessed}\nIt turned out: {outcome}")


def bet(question: str, answer: str, *, choices: Sequence[str], sure: float = 0.5) -> None:
    """Stores your bet, which `score_bet` later scores.

    A later bet replaces an earlier one, unless it is empty. Lesson 05 and exercise 03 use it.

    Args:
        question: The question's name, such as `"flip"`.
        answer: One of the choices; leave it empty until you have decided.
        choices: The possible outcomes.
        sure: How sure you are, from 0 to 1: the fraction of such bets that you expect to win.

    Raises:
        TypeError: If `sure` is not a number.
        ValueError: If the answer is not one of the choices, or `sure` is outside of 0 to 1.
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


def score_bet(question: str, outcome: str) -> None:
    """Prints your bet, its outcome, and its Brier score.

    The score is the squared difference between `sure` and the outcome (1 if you win, 0 if you
    lose). It is 0 if you were 100 % sure and won, 1 if you were 100 % sure and lost, and 0.25 at
    50 %. In the long run, saying what you believe scores best.

    Args:
        question: The question's name, as in `bet`.
        outcome: The choice that turned out to be right.

    Source:
        Brier, Verification of forecasts expressed in terms of probability, Monthly Weather
        Review 78 (1950), 1-3.
    """
    kept = load_guesses("bets").get(question)
    if kept is None:
        print(f"You have bet nothing. It turned out: {outcome}.")
        return
    answer, sure = kept
    score = (sure - (answer == outcome)) ** 2
    print(f"You bet on {answer!r}, {sure:.0%} sure. It turned out: {outcome!r}.")
    print(f"Score: {score:.2f} (0 is best, 1 is worst; being 50% sure always scores 0.25).")
