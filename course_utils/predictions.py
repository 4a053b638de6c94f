"""Keeps what a student predicts, and puts it beside what was measured."""

import json
from pathlib import Path

from course_utils import settings
from course_utils.files import write_whole


def _record() -> Path:
    return settings.cache_dir() / "predictions.json"


def load_predictions() -> dict[str, str]:
    """Returns all predictions kept so far, by question.

    Raises:
        ValueError: If the file is not what `predict` writes.
    """
    path = _record()
    if not path.is_file():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(kept, dict):
            raise ValueError("not a JSON object")
    except ValueError as error:
        raise ValueError(
            f"Expected the predictions in {path} as a JSON object, received something else "
            f"({error}). Mend the file, or delete it to start anew."
        ) from error
    return kept


def predict(question: str, answer: str) -> None:
    """Keeps a prediction, to be shown beside the outcome; a later one replaces it, unless empty.

    Args:
        question: Its name, such as `"gap"`.
        answer: What you expect, in your own words; empty while you have not made up your mind.

    Raises:
        TypeError: If the answer is not text.
    """
    if not isinstance(answer, str):
        raise TypeError(
            f"Expected your prediction as text in quotes, received {answer!r}. Write for example "
            '"higher, because …".'
        )
    if not answer.strip():
        print("Nothing written yet: put your prediction in the quotes.")
        return
    with write_whole(_record()) as beside:
        kept = load_predictions() | {question: answer.strip()}
        beside.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
    print("Kept.")


def show_prediction(question: str, outcome: str) -> None:
    """Prints the prediction and, under it, how it turned out.

    Args:
        question: The name it was kept under.
        outcome: What was measured or seen, in words.
    """
    predicted = load_predictions().get(question) or "(you have written nothing)"
    print(f"You predicted: {predicted}\nIt turned out: {outcome}")
