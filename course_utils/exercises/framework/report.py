"""What instructors see: every question with its aim, its lesson and what it works against."""

from course_utils.exercises import (
    building_augmentations,
    choosing_policies,
    curves_and_weights,
    traps,
)
from course_utils.exercises.framework.misconceptions import MISCONCEPTIONS
from course_utils.exercises.framework.questions import Question

# Each notebook's number, its minutes and its questions.
EXERCISES = {
    "01": (15, curves_and_weights.QUESTIONS),
    "02": (30, building_augmentations.QUESTIONS),
    "03": (30, choosing_policies.QUESTIONS),
    "04": (25, traps.QUESTIONS),
}


def list_questions() -> list[tuple[str, Question]]:
    """Returns every question with the number of its notebook."""
    return [(number, each) for number, (_, listed) in EXERCISES.items() for each in listed]


def write_report() -> str:
    """Returns the questions by notebook, then the misconceptions, as Markdown."""
    parts = []
    for number, (minutes, listed) in EXERCISES.items():
        parts.append(f"## exercises/{number}, {minutes} minutes\n")
        for question in listed:
            against = "; ".join(question.misconceptions) or "none of the ten"
            graded = "" if question.observe else ", ungraded"
            parts.append(
                f"- {question.name} *{question.title}* (after lesson {question.lesson}{graded}): "
                f"{question.aim}. Against: {against}."
            )
        parts.append("")
    parts.append("## The ten misconceptions\n")
    for key, each in MISCONCEPTIONS.items():
        where = ", ".join(
            f"{number} {question.name}"
            for number, question in list_questions()
            if key in question.misconceptions
        )
        parts.append(f"- *{key}* ({where}): {each.why}")
    return "\n".join(parts)
