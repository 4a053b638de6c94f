"""Grades submissions: observed in processes of their own, on fresh probes, and judged here.

No student's code runs in this process.
"""

import csv
import html
import json
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from course_utils.core.files import atomic_write
from course_utils.exercises.framework.questions import (
    ERROR,
    LOOKS,
    NOT_ATTEMPTED,
    NOT_YET,
    RIGHT,
    Box,
    Question,
)
from course_utils.grading.exercises import Exercise
from course_utils.grading.sandbox import Sandbox, Stopped
from course_utils.grading.submissions import Submission

MAIN_COLUMNS = ("student", "exercise", "question", "state", "message", "hints", "solution", "notes")
LONGEST_MESSAGE = 600  # characters
_measuring = threading.Lock()  # measuring policies fills the memory for one at a time


@dataclass(frozen=True)
class Mark:
    """How one answer was judged.

    Args:
        student: Whose it is.
        exercise: The exercise's number.
        question: The question's name.
        state: `"right"`, `"not yet"`, `"error"` or `"not attempted"`.
        message: What the check says.
        hints: How many hints the notebook shows.
        solution: Whether the notebook shows the solution.
        notes: What was unusual.
    """

    student: str
    exercise: str
    question: str
    state: str
    message: str
    hints: int
    solution: bool
    notes: str


def grade_all(
    submissions: Sequence[Submission],
    exercises: dict[str, Exercise],
    sandbox: Sandbox,
    *,
    at_once: int = 2,
    report: Callable[[Submission, list[Mark]], None] | None = None,
) -> list[Mark]:
    """Grades submissions, some at the same time.

    Args:
        submissions: What `read_submissions` returned.
        exercises: From `load_exercises`.
        sandbox: Where students' code runs.
        at_once: How many processes run at the same time.
        report: Called with each submission and its marks when it is graded.

    Returns:
        The marks, in the order of the submissions.
    """

    def grade(submission: Submission) -> list[Mark]:
        marks = grade_one(submission, exercises[submission.number], sandbox)
        if report:
            report(submission, marks)
        return marks

    with ThreadPoolExecutor(at_once) as pool:
        return [mark for marks in pool.map(grade, submissions) for mark in marks]


def grade_one(submission: Submission, exercise: Exercise, sandbox: Sandbox) -> list[Mark]:
    """Grades one submission.

    An answer that ends its process costs this answer; the next begins in another process, without
    it.
    """
    boxes: dict[str, Box] = {}
    answers = dict(submission.answers)
    session = None
    try:
        for name, question in exercise.questions.items():
            if name not in answers:
                boxes[name] = Box(name, NOT_ATTEMPTED, "No answer was found.")
                continue
            try:
                if session is None:
                    session = sandbox.start(_write_job(exercise, answers))
                boxes[name] = _grade_answer(question, session)
            except Stopped as stopped:
                session = None
                del answers[name]
                boxes[name] = Box(name, ERROR, f"The answer had to be stopped. {stopped}")
    finally:
        if session is not None:
            session.close()
    return [_mark(submission, name, box) for name, box in boxes.items()]


def _write_job(exercise: Exercise, answers: dict[str, str]) -> bytes:
    cells = [
        {"source": cell.source, "question": cell.question, "checks": cell.checks}
        for cell in exercise.cells
    ]
    return json.dumps({"number": exercise.number, "cells": cells, "answers": answers}).encode()


def _grade_answer(question: Question, session) -> Box:
    """Asks for what was observed and judges it; a mistake in random draws has to show twice."""
    box = _look(question, session)
    if question.sampled and box.state == NOT_YET:
        box = _look(question, session)
    return box


def _look(question: Question, session) -> Box:
    probe_seed = secrets.randbits(31)
    command = json.dumps({"question": question.name, "probe_seed": probe_seed}).encode()
    observed = session.ask(command)
    if "broken" in observed:
        session.close()
        raise Stopped(f"A cell of the kit's notebook failed: {observed['broken']}")
    # What the sandbox says about anything but the answer counts for nothing.
    observed["probe_seed"] = probe_seed
    try:
        if question.measure and not {"blank", "misread"} & set(observed):
            with _measuring:
                observed |= question.measure(observed)
        return question.decide(observed)
    except Exception as error:
        return Box(
            question.name, ERROR, f"What the answer gave cannot be judged: {type(error).__name__}."
        )


def _mark(submission: Submission, question: str, box: Box) -> Mark:
    about = f"{question}: "
    notes = [note for note in submission.notes if note.startswith(about) or not _is_about(note)]
    state = box.state if box.state in LOOKS else ERROR
    return Mark(
        submission.student,
        submission.number,
        question,
        state,
        "" if state == RIGHT else str(box.message)[:LONGEST_MESSAGE],
        submission.hints.get(question, 0),
        question in submission.solutions,
        " ".join(note.removeprefix(about) for note in notes),
    )


def _is_about(note: str) -> bool:
    head, found, _ = note.partition(":")
    return bool(found) and head[:1] == "q" and head[1:].isdigit()


def write_table(marks: Sequence[Mark], path: Path) -> None:
    """Writes one line for each student and question as CSV.

    Args:
        marks: What `grade_all` returned.
        path: The file.
    """
    with atomic_write(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(MAIN_COLUMNS)
        for mark in marks:
            writer.writerow([_plain_cell(getattr(mark, name)) for name in MAIN_COLUMNS])


def _plain_cell(value) -> str:
    """Returns text that a spreadsheet does not take for a formula."""
    text = str(value).replace("\r", " ").replace("\n", " ")
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def write_page(marks: Sequence[Mark], unread: dict[Path, str], path: Path) -> None:
    """Writes a page with one row for each student and exercise, and one cell for each question.

    Args:
        marks: What `grade_all` returned.
        unread: Files that could not be read, and why.
        path: The file.
    """
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Grades</title><style>",
        "body{font:15px/1.4 sans-serif;margin:2em;color:#1a1a1a;background:#fff}",
        "table{border-collapse:collapse;margin:0 0 2em}td,th{border:1px solid #999;",
        "padding:4px 8px;vertical-align:top;text-align:left}",
        "small{display:block;max-width:22em}</style>",
        "<h1>Grades</h1>",
        "<p>" + ", ".join(
            f"{LOOKS[state].sign} {state}" for state in (RIGHT, NOT_YET, ERROR, NOT_ATTEMPTED)
        ) + ". A short answer is often the same as the kit's solution by itself.</p>",
    ]  # fmt: skip
    for number in dict.fromkeys(mark.exercise for mark in marks):
        chosen = [mark for mark in marks if mark.exercise == number]
        names = list(dict.fromkeys(mark.question for mark in chosen))
        parts.append(f"<h2>Exercise {number}</h2><table><tr><th scope='col'>student</th>")
        parts += [f"<th scope='col'>{name}</th>" for name in names]
        parts.append("<th scope='col'>right</th></tr>")
        for student in dict.fromkeys(mark.student for mark in chosen):
            own = {mark.question: mark for mark in chosen if mark.student == student}
            parts.append(f"<tr><th scope='row'>{html.escape(student)}</th>")
            parts += [_show(own[name]) if name in own else "<td></td>" for name in names]
            right = sum(mark.state == RIGHT for mark in own.values())
            parts.append(f"<td>{right} of {len(own)}</td></tr>")
        parts.append("</table>")
    if unread:
        parts.append("<h2>Not read</h2><ul>")
        parts += [
            f"<li><code>{html.escape(str(each))}</code>: {html.escape(why)}</li>"
            for each, why in unread.items()
        ]
        parts.append("</ul>")
    with atomic_write(path) as beside:
        beside.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _show(mark: Mark) -> str:
    look = LOOKS[mark.state]
    extra = [mark.message, mark.notes]
    if mark.hints:
        extra.append(f"Hints shown: {mark.hints}.")
    if mark.solution:
        extra.append("The solution was shown.")
    text = " ".join(html.escape(each) for each in extra if each)
    return (
        f"<td style='background:{look.background};border-left:5px solid {look.border}'>"
        f"{look.sign} {mark.state}<small>{text}</small></td>"
    )
