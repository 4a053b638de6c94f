"""Keeps what a student guesses, and puts it beside what was measured."""

from collections.abc import Sequence

from course_utils.core import cache
from course_utils.core.checks import check_fraction
from course_utils.core.entries import ENDING


def load_guesses(kind: str = "guesses") -> dict:
    """Returns all guesses kept so far, by question.

    A damaged file is named and kept under another name; then there are none.

    Args:
        kind: `"guesses"`, texts; or `"bets"`, pairs of an answer and how sure.
    """
    return cache.load_own(kind + ENDING)


def _keep(kind: str, question: str, answer) -> None:
    cache.save_own(kind + ENDING, load_guesses(kind) | {question: answer})
    print("Kept.")


def guess(question: str, answer: str) -> None:
    """Keeps a guess, to be shown beside the outcome; a later one replaces it, unless empty.

    Args:
        question: Its name, such as `"gap"`.
        answer: What you expect, in your own words; empty while you have not made up your mind.

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
    """Prints the guess and, under it, how it turned out.

    Args:
        question: The name it was kept under.
        outcome: What was measured or seen, in words.
    """
    guessed = load_guesses().get(question) or "(you have written nothing)"
    print(f"You guessed: {guessed}\nIt turned out: {outcome}")


def bet(question: str, answer: str, *, choices: Sequence[str], sure: float = 0.5) -> None:
    """Keeps a bet, to be scored when the outcome is there; a later one replaces it, unless empty.

    Args:
        question: Its name, such as `"flip"`.
        answer: One of the choices; empty while you have not made up your mind.
        choices: What may come out.
        sure: How sure you are, from 0 to 1: out of a hundred such bets, how many you would win,
            divided by a hundred.

    Raises:
        TypeError: If `sure` is not a number.
        ValueError: If the answer is none of the choices, or `sure` is outside its range.
    """
    if not isinstance(answer, str) or not answer.strip():
        print(f"No bet yet: put one of {', '.join(map(repr, choices))} in the quotes.")
        return
    written = answer.strip().casefold().replace("’", "'")  # as word processors write "can't"
    chosen = next((choice for choice in choices if choice.casefold() == written), None)
    if chosen is None:
        raise ValueError(
            f"Expected a bet on one of {', '.join(map(repr, choices))}, received {answer!r}."
        )
    _keep("bets", question, [chosen, check_fraction("sure", sure)])


def score_bet(question: str, outcome: str) -> None:
    """Prints a bet beside its outcome, and its score.

    The score is the square of how far off the sureness was (Brier): 0 for a bet won that was
    sure, 1 for one lost that was sure, 0.25 for either at half sure. Saying what you believe scores
    best in the long run.

    Args:
        question: The name it was kept under.
        outcome: The choice that came out.

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
    print(f"Score: {score:.2f} (0 is best, 0.25 is what half sure always gets, 1 is worst).")
