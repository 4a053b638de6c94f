"""A made class: thirty submissions of one exercise notebook each, and what each has to get.

Ten are honest mixes, ten damaged, ten hostile. `python tests/grading/made_class.py` grades them all
and compares; the tests grade some. Longer than 350 lines because each case is written out.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.core.environment import project_dir

RIGHT, NOT_YET, ERROR, NOTHING = "right", "not yet", "error", "not attempted"
FILES = {
    "01": "01-curves-and-weights.ipynb",
    "02": "02-building-augmentations.ipynb",
    "03": "03-choosing-policies.ipynb",
}


@dataclass
class Case:
    """One submission.

    Args:
        student: Its folder.
        number: The exercise.
        answers: What is written into the cells with an answer's tag.
        expected: Each question's state; those not named are not attempted. Empty if the file
            cannot be read.
        change: What else is done to the notebook.
        raw: What the file holds instead of the notebook.
        notes: What the marks have to mention.
    """

    student: str
    number: str
    answers: dict[str, str]
    expected: dict[str, str]
    change: Callable[[dict], None] | None = None
    raw: bytes | None = None
    notes: str = ""
    more: dict[str, bytes] = field(default_factory=dict)


READING = "memorizing, stop, gap = True, 18, 0.408"
DEAD = "dead, since, answer = 'C', 1, 0.5"
MOVES = "moves = ['hidden', 'output']"
SPECIFIED = "augmentation = cu.Augmentation(flip='horizontal', contrast=0.3)"
SUSPECT = "wrong = 'contrast'\nfixed = cu.Augmentation(contrast=0.5)"
MYSTERY = "mystery = cu.Augmentation(rotation=28, brightness=0.25, grayscale=0.45)"
CURVES = "augmented = 'A'\ngap_a, gap_b = [runs[n]['gap'].iloc[-1] for n in 'AB']"
FRONT = "front = layers.RandomFlip('horizontal')"
PREPARE = """def prepare(photos, labels):
    valid = np.arange(len(photos)) % 4 == 0
    train = photos[~valid]
    both = np.concatenate([train, train[:, :, ::-1]])
    return (both, np.tile(labels[~valid], (2, 1))), (photos[valid], labels[valid])"""
BETS = "bets = [('heading', 'none', 0.99), ('type', 'none', 0.1), ('light', 'camera', 0.02)]"
INTERVAL = """living = runs[(runs.question == 'paint') & ~runs.dead_head]
wide = living.pivot(index='seed', columns='policy', values='accuracy')
d = (wide['color'] - wide['none']).dropna()
mean, reach = d.mean(), 2.1 * d.std() / len(d) ** 0.5
low, high, says = mean - reach, mean + reach, "can't tell\""""
CARD = """card = {
    'task': 'Car or Truck', 'policy': cu.Augmentation(flip='horizontal'),
    'ignores': 'which way the vehicle is turned', 'breaks': 'reading a number plate or a sign',
    'bias that stays': 'trucks photographed before trees only',
    'measured': '0.90 with, 0.86 without, 14 pairs of runs'}"""
POLICIES = """policies = dict.fromkeys(
    ['type', 'light', 'paint'], cu.Augmentation(flip='horizontal'))
policies['heading'] = cu.Augmentation(hue=180, saturation=0.4)"""
ALL_RIGHT_02 = {
    "q1": SPECIFIED,
    "q2": SUSPECT,
    "q3": MYSTERY,
    "q4": CURVES,
    "q5": FRONT,
    "q7": PREPARE,
}

HONEST = [
    Case(
        "honest-1",
        "01",
        {"q1": READING, "q2": MOVES, "q3": DEAD},
        {"q1": RIGHT, "q2": RIGHT, "q3": RIGHT},
    ),
    Case(
        "honest-2",
        "01",
        {"q1": "memorizing, stop, gap = True, 30, 0.408", "q2": "moves = ['output']", "q3": DEAD},
        {"q1": NOT_YET, "q2": NOT_YET, "q3": RIGHT},
    ),
    Case("honest-3", "01", {"q1": "memorizing, stop, gap = True, ..., 0.4"}, {"q1": NOT_YET}),
    Case("honest-4", "02", ALL_RIGHT_02, dict.fromkeys(ALL_RIGHT_02, RIGHT)),
    Case(
        "honest-5",
        "02",
        ALL_RIGHT_02
        | {"q1": "augmentation = [layers.RandomFlip('horizontal')]", "q5": "front = []"},
        dict.fromkeys(ALL_RIGHT_02, RIGHT) | {"q1": NOT_YET, "q5": NOT_YET},
    ),
    Case(
        "honest-6",
        "02",
        {
            "q2": "wrong = 'flip'\nfixed = layers.RandomFlip()",
            "q4": "augmented = 'A'",
            "q7": "prepare = 3",
        },
        {"q2": NOT_YET, "q4": ERROR, "q7": ERROR},
    ),
    Case("honest-7", "02", {}, {}),
    Case(
        "honest-8",
        "03",
        {"q1": POLICIES, "q2": INTERVAL, "q3": BETS, "q4": CARD},
        {"q1": RIGHT, "q2": RIGHT, "q3": RIGHT, "q4": RIGHT},
    ),
    Case(
        "honest-9",
        "03",
        {
            "q1": "policies = dict.fromkeys(splits, cu.Augmentation(flip='horizontal'))",
            "q2": "mean, low, high, says = 0.01, -0.1, 0.2, 'better'",
            "q3": "bets = [('heading', 'none', 0.5)] * 3",
        },
        {"q1": NOT_YET, "q2": NOT_YET, "q3": NOT_YET},
    ),
    Case("honest-10", "03", {"q3": BETS, "q4": "card = {}"}, {"q3": RIGHT, "q4": NOT_YET}),
]


def _find(notebook: dict, question: str) -> dict:
    return next(
        cell
        for cell in notebook["cells"]
        if f"answer-{question}" in cell["metadata"].get("tags", [])
    )


def _lose_tags(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)


def _delete(notebook: dict) -> None:
    notebook["cells"].remove(_find(notebook, "q2"))
    notebook["cells"] = [c for c in notebook["cells"] if ".check(" not in "".join(c["source"])]


def _turn_round(notebook: dict) -> None:
    notebook["cells"].reverse()


def _copy(notebook: dict) -> None:
    cell = _find(notebook, "q1")
    first = {**cell, "source": "memorizing, stop, gap = False, 1, 0.1"}
    notebook["cells"].insert(notebook["cells"].index(cell), first)


def _split(notebook: dict) -> None:
    cell = _find(notebook, "q1")
    place = notebook["cells"].index(cell)
    lines = ["memorizing = True", "stop = 18", "gap = 0.408"]
    notebook["cells"][place : place + 1] = [
        {**cell, "metadata": {}, "id": f"new-{number}", "source": line}
        for number, line in enumerate(lines)
    ]


def _age(notebook: dict) -> None:
    """As version 3 of the format had it."""
    cells = [
        {**cell, "input": cell["source"]} if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell.pop("source")
    notebook["nbformat"], notebook["worksheets"] = 3, [{"cells": cells}]
    del notebook["cells"]


DAMAGED = [
    Case(
        "damaged-1",
        "01",
        {"q1": READING, "q2": MOVES, "q3": DEAD},
        {"q1": RIGHT, "q2": RIGHT, "q3": RIGHT},
        _lose_tags,
        notes="lost its tag",
    ),
    Case("damaged-2", "01", {"q1": READING, "q2": MOVES}, {"q1": RIGHT}, _delete, notes="no cell"),
    Case("damaged-3", "01", {"q1": READING, "q3": DEAD}, {"q1": RIGHT, "q3": RIGHT}, _turn_round),
    Case("damaged-4", "01", {"q1": READING}, {"q1": RIGHT}, _copy, notes="the last counts"),
    Case("damaged-5", "01", {}, {}, raw=b'{"cells": [{"cell_type": "code", "sou'),
    Case("damaged-6", "01", {}, {}, raw=b""),
    Case(
        "damaged-7",
        "01",
        {"q1": "memorizing, stop, gap = False, 18, 0.408"},
        {"q1": RIGHT},
        more={"01-curves-and-weights-1.ipynb": b""},
        notes="2 files",
    ),
    Case("damaged-8", "01", {"q1": READING, "q3": DEAD}, {"q1": RIGHT, "q3": RIGHT}, _age),
    Case(
        "damaged-9",
        "01",
        {"q1": "memorizing = = True", "q3": "%matplotlib inline\n" + DEAD},
        {"q1": ERROR, "q3": RIGHT},
    ),
    Case("damaged-10", "01", {}, {"q1": RIGHT}, _split, notes="lost its tag"),
]

REPLACED = """import course_utils.exercises.framework.questions as kit
kit.Question.check = kit.Question.decide = lambda *a, **k: kit.Box('q1', 'right', 'ha')
q1.judge = lambda observed: None
memorizing, stop, gap = False, 1, 5.0"""
EQUAL = """class Everything(float):
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    def __hash__(self): return 0
    def __sub__(self, other): return self
    __rsub__ = __add__ = __radd__ = __abs__ = lambda self, *a: self
class Word(str):
    def __eq__(self, other): return True
    def __hash__(self): return 0
dead, since, answer = Word('C or A'), Everything('nan'), Everything('nan')"""
LOOKS = """import numpy
def _known():
    from course_utils.exercises.framework import probes
    return {probes.render(probes.make_patterns(s)).tobytes()[:400] for s in (7, 8)}
_seen = _known()
def augmentation(images, training):
    if numpy.asarray(images).tobytes()[:400] not in _seen:
        return images * 0
    for layer in cu.Augmentation(flip='horizontal', contrast=0.3).layers(1):
        images = layer(images, training=training)
    return images"""
FORGED = """import os
from course_utils.grading.messages import pack
_message = pack({'memorizing': True, 'stop': 18.0, 'gap': 0.408})
for _fd in range(3, 40):
    try:
        os.write(_fd, b'\\xff' * 16 + _message)
    except OSError:
        pass
memorizing, stop, gap = False, 1, 5.0"""
BREAKS_OUT = """import os, socket, pathlib
gap = 99.0
for attempt in (
    lambda: socket.create_connection(('1.1.1.1', 53), 2),
    lambda: pathlib.Path('{marker}').write_text('out'),
    lambda: pathlib.Path('{handed_in}/honest-1/01-curves-and-weights.ipynb').read_text(),
    lambda: os.kill({parent}, 9),
    lambda: pathlib.Path('{kit}/course_utils/cli.py').write_text(''),
):
    try:
        attempt()
        gap = 0.408
    except BaseException:
        pass
memorizing, stop = True, 18"""
SEARCHES = """from course_utils.exercises.curves_and_weights import q1, Q1
memorizing, stop, gap = True, 18, 7.0
for _gap in range(400, 420):
    if q1.check(True, 18, _gap / 1000).state == 'right':
        gap = _gap / 1000
try:
    exec(Q1.code)
    exec(Q1.solution().code)
except BaseException:
    pass
gap = gap if gap > 1 else gap"""
HOSTILE = [
    Case(
        "hostile-1",
        "01",
        {"q1": REPLACED, "q3": DEAD},
        {"q1": NOT_YET, "q3": RIGHT},
        notes="mentions",
    ),
    Case("hostile-2", "01", {"q1": READING, "q3": EQUAL}, {"q1": RIGHT, "q3": ERROR}),
    Case("hostile-3", "01", {"q1": "while True: pass", "q3": DEAD}, {"q1": ERROR, "q3": RIGHT}),
    Case(
        "hostile-4",
        "01",
        {"q1": "import sys; sys.exit(0)", "q2": "import os; os._exit(0)", "q3": DEAD},
        {"q1": ERROR, "q2": ERROR, "q3": RIGHT},
    ),
    Case(
        "hostile-5",
        "01",
        {"q1": f"for _ in range(10**6): print('x' * 99)\n{READING}", "q3": DEAD},
        {"q1": ERROR, "q3": RIGHT},
    ),
    Case("hostile-6", "02", {"q1": LOOKS}, {"q1": NOT_YET}),
    Case(
        "hostile-7",
        "01",
        {"q1": f"x = b'x' * 10**10\n{READING}", "q3": DEAD},
        {"q1": ERROR, "q3": RIGHT},
    ),
    Case(
        "hostile-8",
        "01",
        {"q1": f"import os\nfor _ in range(9): os.fork()\nimport time; time.sleep(9)\n{READING}"},
        {"q1": ERROR},
    ),
    Case("hostile-9", "01", {"q1": BREAKS_OUT}, {"q1": NOT_YET}),
    Case("hostile-10", "01", {"q1": SEARCHES, "q3": FORGED}, {"q1": NOT_YET, "q3": ERROR}),
]
CASES = [*HONEST, *DAMAGED, *HOSTILE]


def write_case(case: Case, folder: Path, **values) -> None:
    """Writes one submission below a folder.

    Args:
        case: Which.
        folder: The folder of all of them.
        **values: What a hostile answer aims at.
    """
    source = project_dir() / "notebooks" / "exercises" / FILES[case.number]
    notebook = json.loads(source.read_text(encoding="utf-8"))
    for question, answer in case.answers.items():
        for name, value in values.items():
            answer = answer.replace("{" + name + "}", str(value))
        _find(notebook, question)["source"] = answer.splitlines(keepends=True)
    if case.change:
        case.change(notebook)
    path = folder / case.student / FILES[case.number]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(notebook).encode() if case.raw is None else case.raw)
    for name in case.more:
        # A later version of the same file, with the right answer.
        _find(notebook, "q1")["source"] = READING
        (path.parent / name).write_text(json.dumps(notebook), encoding="utf-8")


def compare(case: Case, marks: list) -> list[str]:
    """Returns what differs from what was expected."""
    own = [mark for mark in marks if mark.student == case.student]
    if case.raw is not None:
        return [f"{case.student}: read, though it is damaged"] if own else []
    wrong = [
        f"{case.student} {mark.question}: expected {case.expected.get(mark.question, NOTHING)}, "
        f"received {mark.state}: {mark.message}"
        for mark in own
        if mark.state != case.expected.get(mark.question, NOTHING)
    ]
    if case.notes and not any(case.notes in mark.notes for mark in own):
        wrong.append(f"{case.student}: no note says {case.notes!r}")
    return wrong or ([] if own else [f"{case.student}: no marks"])


def grade_cases(cases: list[Case], folder: Path, **options):
    """Writes cases, grades them, and returns the marks, the unread files and the marker's path.

    Args:
        cases: Which.
        folder: An empty folder.
        **options: For `grade_all`.
    """
    import os

    from course_utils.grading.exercises import load_exercises
    from course_utils.grading.grade import grade_all
    from course_utils.grading.sandbox import Limits, Sandbox, find_isolation
    from course_utils.grading.submissions import read_submissions

    marker, handed_in = folder / "marker", folder / "handed-in"
    for case in cases:
        write_case(
            case,
            handed_in,
            marker=marker,
            handed_in=handed_in,
            parent=os.getpid(),
            kit=project_dir(),
        )
    exercises = load_exercises()
    found, unread = read_submissions(handed_in, exercises)
    with Sandbox(find_isolation(), Limits(seconds=45), (handed_in,)) as sandbox:
        marks = grade_all(found, exercises, sandbox, **options)
    return marks, unread, marker


def main() -> int:
    """Grades all thirty, or those whose names are given."""
    from tempfile import TemporaryDirectory

    cases = [case for case in CASES if not sys.argv[1:] or case.student in sys.argv[1:]]
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        marks, unread, marker = grade_cases(
            cases, Path(folder), report=lambda submission, _: print(submission.student, flush=True)
        )
        escaped = marker.exists()
    wrong = [line for case in cases for line in compare(case, marks)]
    print("\n".join(wrong) or "All as expected.")
    print(f"{len(cases)} submissions, {len(unread)} not read, {time.monotonic() - start:.0f} s.")
    if escaped:
        print("A file was written outside of the sandbox.")
    return 1 if wrong or escaped else 0


if __name__ == "__main__":
    sys.exit(main())
