"""A class's guesses and bets, gathered from files without names, as one page.

A student who wants to take part writes a file (`python -m course_utils share FILE.json`), which
holds guesses and bets and nothing else. With fewer than five files there is no page.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from course_utils.core.files import atomic_write, check_writable
from course_utils.lessons import guesses, notebooks

FEWEST = 5  # students
LONGEST_GUESS, LARGEST_FILE = 500, 10**6  # characters, bytes
# How sure the bets of one line were, in percent.
BINS = ((0, 20), (20, 40), (40, 60), (60, 80), (80, 101))


def share_guesses(path: Path) -> int:
    """Writes this student's guesses and bets to a file, to be handed in if the student wants to.

    Args:
        path: The file.

    Returns:
        How many guesses and bets it holds.

    Raises:
        ValueError: If there are none yet.
    """
    kept = {"guesses": guesses.load_guesses(), "bets": guesses.load_guesses("bets")}
    count = sum(map(len, kept.values()))
    if not count:
        raise ValueError(
            "Expected guesses or bets, found none yet. Work through a lesson and guess first."
        )
    check_writable(path.resolve().parent)
    with atomic_write(path) as beside:
        text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True)
        beside.write_text(f"{text}\n", encoding="utf-8")
    return count


def read_class(folder: Path) -> tuple[list[dict], dict[Path, str]]:
    """Reads all files of a folder that `share` wrote.

    Args:
        folder: With one JSON file for each student, under any names, in folders or not.

    Returns:
        What each file holds, and why some could not be read.

    Raises:
        ValueError: If fewer than five can be read.
    """
    students, unread = [], {}
    for path in sorted(folder.rglob("*.json")):
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise ValueError("more than 1 MB")
            students.append(_read_one(json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            unread[path] = str(error) or type(error).__name__
    if len(students) < FEWEST:
        raise ValueError(
            f"Expected files of at least {FEWEST} students in {folder}, found {len(students)}. "
            "With fewer, the page would show whose guess is whose."
        )
    return students, unread


def _read_one(content: Mapping) -> dict:
    told = {str(k): str(v).strip()[:LONGEST_GUESS] for k, v in content["guesses"].items()}
    bets = {}
    for name, (answer, sure) in content["bets"].items():
        if not 0 <= float(sure) <= 1:
            raise ValueError(f"how sure a bet is, {sure}, is not between 0 and 1")
        bets[str(name)] = (str(answer)[:LONGEST_GUESS], float(sure))
    return {"guesses": told, "bets": bets}


def read_outcomes() -> dict[str, str]:
    """Returns what the committed lessons show as outcomes, by the names of guesses and bets."""
    import nbformat

    outcomes = {}
    for path in notebooks.list_lessons().values():
        for cell in nbformat.read(path, as_version=4).cells:
            asked = re.findall(r'cu\.(?:reveal|score_bet)\(\s*"([^"]+)"', cell.source)
            text = "".join(output.get("text", "") for output in cell.get("outputs", []))
            told = re.findall(r"It turned out: (.+)", text)
            # A cell may reveal several, one after the other.
            outcomes |= dict(zip(asked, told, strict=False))
    return outcomes


def score_bets(
    students: Sequence[Mapping], outcomes: Mapping[str, str]
) -> list[tuple[float, bool]]:
    """Returns how sure each bet was and whether it was won, for bets with a known outcome.

    Args:
        students: What `read_class` returned.
        outcomes: What `read_outcomes` returned.
    """

    def plain(text: str) -> str:
        return text.strip(" .'\"").casefold()

    return [
        (sure, plain(answer) == plain(outcomes[name]))
        for student in students
        for name, (answer, sure) in student["bets"].items()
        if name in outcomes
    ]


def count_guesses(students: Sequence[Mapping]) -> dict[str, Counter]:
    """Returns how often each guess was made, by question.

    Args:
        students: What `read_class` returned.

    Example:
        >>> made = [{"guesses": {"gap": "It shrinks."}}, {"guesses": {"gap": "it shrinks."}}]
        >>> count_guesses(made)
        {'gap': Counter({'it shrinks.': 2})}
    """
    asked: dict[str, Counter] = {}
    for student in students:
        for name, text in student["guesses"].items():
            if text:
                asked.setdefault(name, Counter())[text.casefold()] += 1
    return asked


def write_class_guesses(students: Sequence[Mapping], path: Path) -> Path:
    """Writes how often each guess was made, for `reveal` to show in the lessons.

    A question that fewer than five students answered is left out, as on the page.

    Args:
        students: What `read_class` returned.
        path: The file; `reveal` finds it under `guesses.CLASS_FILE`.

    Returns:
        The path.
    """
    kept = {
        name: counted.most_common()
        for name, counted in count_guesses(students).items()
        if counted.total() >= FEWEST
    }
    with atomic_write(path) as beside:
        beside.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def write_class_page(students: Sequence[Mapping], outcomes: Mapping[str, str], path: Path) -> Path:
    """Writes the page: each question's guesses beside its outcome, and how sure bets were.

    A question that fewer than five students answered is left out.

    Args:
        students: What `read_class` returned.
        outcomes: What `read_outcomes` returned, or the outcomes of your own class.
        path: The file.

    Returns:
        The path.
    """
    asked = count_guesses(students)
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<title>What the class guessed</title>",
        "<style>body{font:16px/1.5 sans-serif;margin:2em;max-width:52em;color:#1a1a1a;",
        "background:#fff}table{border-collapse:collapse}td,th{border:1px solid #999;",
        "padding:4px 10px;text-align:left}</style>",
        f"<h1>What the class guessed</h1><p>{len(students)} students took part.</p>",
    ]
    few = 0
    for name, counted in asked.items():
        if counted.total() < FEWEST:
            few += 1
            continue
        parts.append(f"<h2>{html.escape(name)}</h2>")
        if name in outcomes:
            parts.append(f"<p><b>It turned out:</b> {html.escape(outcomes[name])}</p>")
        parts.append(f"<p>Your class guessed ({counted.total()} guesses):</p><ul>")
        parts += [
            f"<li>{html.escape(text)}{f' ({number} times)' if number > 1 else ''}</li>"
            for text, number in counted.most_common()
        ]
        parts.append("</ul>")
    if few:
        parts.append(
            f"<p>{few} more questions have fewer than {FEWEST} guesses and are not shown.</p>"
        )
    parts += _describe_bets(score_bets(students, outcomes))
    with atomic_write(path) as beside:
        beside.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def _describe_bets(scored: Sequence[tuple[float, bool]]) -> list[str]:
    if len(scored) < FEWEST:
        return []
    sure, won = (np.array(each, dtype=float) for each in zip(*scored, strict=True))
    parts = [
        "<h2>How sure were the bets?</h2>",
        f"<p>Mean score of {len(scored)} bets: {((sure - won) ** 2).mean():.2f} (0 is best, 1 is "
        "worst; always saying 50% scores 0.25). If a class says what it knows, the two "
        "percentages of each row are near each other.</p>",
        "<table><tr><th scope='col'>said</th><th scope='col'>bets</th>"
        "<th scope='col'>mean of what was said</th><th scope='col'>won</th></tr>",
    ]
    for low, high in BINS:
        chosen = (100 * sure >= low) & (100 * sure < high)
        if chosen.sum():
            parts.append(
                f"<tr><td>{low} to {min(high, 100)}%</td><td>{chosen.sum()}</td>"
                f"<td>{sure[chosen].mean():.0%}</td><td>{won[chosen].mean():.0%}</td></tr>"
            )
    return [*parts, "</table>"]
