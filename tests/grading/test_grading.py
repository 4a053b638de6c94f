"""Grading: what is read from notebooks, what the sandbox may say, how answers become marks."""

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made_class

from course_utils import cli
from course_utils.exercises.framework.questions import Question
from course_utils.grading import child, grade, messages, sandbox, submissions
from course_utils.grading.exercises import load_exercises


@pytest.fixture(scope="module")
def exercises():
    return load_exercises()


def read_case(name, folder, exercises):
    case = next(case for case in made_class.CASES if case.student == name)
    made_class.write_case(case, folder)
    found, unread = submissions.read_submissions(folder, exercises)
    return (found[0] if found else None), unread


@pytest.mark.parametrize(
    "name", ["damaged-1", "damaged-3", "damaged-4", "damaged-7", "damaged-8", "damaged-10"]
)
def test_answers_are_found_in_damaged_notebooks(name, tmp_path, exercises):
    found, unread = read_case(name, tmp_path, exercises)
    namespace = {}
    exec(found.answers["q1"], namespace)
    assert (namespace["memorizing"], namespace["stop"], namespace["gap"]) == (True, 18, 0.408)
    assert found.student == name and found.number == "01" and not unread
    case = next(case for case in made_class.CASES if case.student == name)
    assert case.notes in " ".join(found.notes), found.notes


@pytest.mark.parametrize("name", ["damaged-5", "damaged-6"])
def test_files_that_cannot_be_read_are_named(name, tmp_path, exercises):
    found, unread = read_case(name, tmp_path, exercises)
    assert found is None and "no notebook" in next(iter(unread.values()))


def test_the_solution_and_hints_are_noticed(tmp_path, exercises):
    source = exercises["01"].questions["q1"].code.replace("= True", "=  True  # mine")
    case = replace(made_class.HONEST[0], answers={"q1": source})
    made_class.write_case(case, tmp_path)
    path = next(tmp_path.rglob("*.ipynb"))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    output = {"output_type": "execute_result", "data": {"text/plain": ["q1: hint. (2 of 3) x"]}}
    more = [("q1.hint()", [output]), ("q2.solution()", [])]
    for text, outputs in more:
        notebook["cells"].append(
            {"cell_type": "code", "metadata": {}, "source": [text], "outputs": outputs}
        )
    path.write_text(json.dumps(notebook), encoding="utf-8")
    (found,), _ = submissions.read_submissions(tmp_path, exercises)
    assert "q1: the same as the kit's solution." in found.notes
    assert found.hints == {"q1": 2} and found.solutions == {"q2"}


def test_a_message_holds_plain_values_only():
    array = np.arange(6, dtype="float32").reshape(2, 3)
    made = messages.unpack(messages.pack({"x": array, "y": [1, "a"], "z": np.float64(2)}))
    np.testing.assert_array_equal(made["x"], array)
    assert made["y"] == [1, "a"] and made["z"] == 2
    with pytest.raises(TypeError):
        messages.pack({"x": np.array([object()])})


@pytest.mark.parametrize(
    "header",
    [
        b"no json",
        b'{"values": {}, "arrays": [["x", "object", [2]]]}',
        b'{"values": {}, "arrays": [["x", "float64", [99]]]}',
        b'{"values": {}, "arrays": [["x", "float64", [-1]]]}',
        b'{"values": {}, "arrays": 3}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(header):
    message = len(header).to_bytes(8, "big") + (0).to_bytes(8, "big") + header
    with pytest.raises(messages.Malformed):
        messages.unpack(message)
    with pytest.raises(messages.Malformed):
        messages.read_length(b"\xff" * 16)


class FakeSession:
    def __init__(self, *observed):
        self.observed = list(observed)

    def ask(self, command):
        return self.observed.pop(0)

    def close(self):
        pass


def ask(judge, **options):
    texts = {"title": "t", "aim": "a", "lesson": "01", "explanation": "", "code": ""}
    return Question(name="q1", observe=lambda x: {}, judge=judge, **texts, **options)


def test_what_the_sandbox_says_cannot_choose_the_probes_or_the_truth():
    def judge(observed):
        return None if observed["probe_seed"] == 7 or observed["truth"] == "forged" else "no"

    question = ask(judge, measure=lambda observed: {"truth": "measured"})
    box = grade._look(question, FakeSession({"probe_seed": 7, "truth": "forged"}))
    assert box.state == "not yet"


def test_values_that_a_judge_does_not_expect_are_an_error_of_the_answer():
    box = grade._look(ask(lambda observed: observed["missing"] + 1), FakeSession({"x": "y"}))
    assert box.state == "error" and "cannot be judged" in box.message


def test_chance_costs_nobody_a_point():
    question = ask(lambda observed: observed.get("mistake"), sampled=True)
    assert grade._grade_answer(question, FakeSession({"mistake": "unlucky"}, {})).state == "right"


def test_the_table_and_the_page_show_text_and_no_formulas_or_tags(tmp_path):
    mark = grade.Mark("=cmd()", "01", "q1", "error", "<script>", 1, True, "n")
    grade.write_table([mark], tmp_path / "grades.csv")
    row = list(csv.DictReader((tmp_path / "grades.csv").open(encoding="utf-8")))[0]
    assert row["student"] == "'=cmd()" and row["state"] == "error" and row["hints"] == "1"
    grade.write_page([mark], {Path("x"): "damaged"}, tmp_path / "grades.html")
    page = (tmp_path / "grades.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page and "<script>" not in page and "damaged" in page


def test_the_sandbox_knows_no_solution_and_no_judge(tmp_path):
    sandbox.write_stripped(tmp_path)
    text = "\n".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.py"))
    for number, exercise in load_exercises().items():
        for question in exercise.questions.values():
            assert question.explanation[:40] not in text, (number, question.name)
            assert not question.code or question.code.splitlines()[0] not in text


def test_tensorflow_reads_the_source_of_an_answer():
    notebook = object.__new__(child._Notebook)
    notebook.names = {}
    source = """import tensorflow as tf
def double_some(number):
    if number > 1:
        number = 2 * number
    return number
made = list(tf.data.Dataset.range(3).map(double_some).as_numpy_iterator())"""
    assert notebook._run(source, "<q1>") is None
    assert notebook.names["made"] == [0, 1, 4]


def test_where_nothing_isolates_grading_refuses(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "find_isolation", lambda: sandbox.NOTHING)
    assert cli.main(["grade", str(tmp_path)]) == 1
    assert "Install Bubblewrap" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs Bubblewrap")
@pytest.mark.skipif(sandbox.find_isolation() != sandbox.BWRAP, reason="Bubblewrap may not run here")
@pytest.mark.slow
def test_some_of_the_made_class_get_what_they_deserve(tmp_path, prepared_weights):
    # All thirty: python tests/grading/made_class.py
    names = ("honest-1", "damaged-9", "hostile-4", "hostile-9")
    cases = [case for case in made_class.CASES if case.student in names]
    marks, _, marker = made_class.grade_cases(cases, tmp_path)
    wrong = [line for case in cases for line in made_class.compare(case, marks)]
    assert not wrong, wrong
    assert not marker.exists(), "a file was written outside of the sandbox"
