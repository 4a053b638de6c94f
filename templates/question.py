"""A question of an exercise, to be copied: replace what is written in capitals.

1. Copy what stands below the imports into the module of the exercise (CONTRIBUTING.md, *a
   question*), the imports to those at the module's top, and the question's name into the module's
   last line.
2. Copy the three cells of `templates/question.ipynb` into the exercise's notebook, with their
   metadata: the task, the answer, the check. Replace `q8` and the exercise's number in them, and
   import the question in the notebook's first code cell.
3. In the module's test file, add to RIGHT two answers or more that are right, in different forms,
   and to WRONG five mistakes or more, each with words of the sentence that it has to hear.

Then run `python -m pytest -o addopts="" tests/exercises`: the tests find the question by
themselves and say what is missing.
"""

from collections.abc import Mapping
from typing import Any

from course_utils.exercises.framework.questions import Question
from course_utils.exercises.framework.reading import read_number

# --- q8: A FEW WORDS -------------------------------------------------------------------------


def _observe_factor(factor) -> dict[str, Any]:
    """Reads what the student wrote, and may run it; gives plain numbers, text and arrays.

    For an augmentation, `probes.observe_transformation` does this.
    """
    return {"factor": read_number(factor, "factor")}


def _judge_factor(observed: Mapping[str, Any]) -> str | None:
    """Says what is wrong in one sentence, or gives `None`. It runs nothing of the student's."""
    factor = read_number(observed["factor"], "factor")
    if factor < 1:
        return "WHAT SOMEONE SHOULD HEAR WHO MADE THIS MISTAKE, AND WHERE TO LOOK."
    if abs(factor - 1.5) > 0.01:
        return "WHAT SOMEONE SHOULD HEAR WHO MADE ANOTHER ONE."
    return None


Q8 = Question(
    name="q8",
    title="A FEW WORDS",
    aim="WHAT A STUDENT CAN DO WHO GETS IT RIGHT",
    lesson="02",
    observe=_observe_factor,
    judge=_judge_factor,
    praise="WHAT THE RIGHT ANSWER SHOWS.",
    hints=("A NUDGE.", "NEARLY ALL."),
    explanation="WHY THE SOLUTION IS RIGHT, AND WHY OTHER ANSWERS ARE NOT.",
    code="factor = 1.5",
    misconceptions=(),
)
