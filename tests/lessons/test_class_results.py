"""A class's page: what was guessed beside what came out, without names, from five students on."""

import json

from course_utils import cli
from course_utils.lessons import class_results, guesses


def write_class(folder, count=6):
    folder.mkdir(exist_ok=True)
    for number in range(count):
        content = {
            "guesses": {"gap": "It shrinks." if number % 2 else "It <grows>.", "rare": ""},
            "bets": {"flip": ["can't tell" if number < 3 else "better", 0.9]},
        }
        if number == 0:
            content["guesses"]["rare"] = "only me"
        (folder / f"{number}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_page_shows_guesses_outcomes_and_calibration(tmp_path):
    students, unread = class_results.read_class(write_class(tmp_path / "in"))
    outcomes = {"gap": "from 0.24 to 0.13", "flip": '"can\'t tell".'}
    page = class_results.write_class_page(students, outcomes, tmp_path / "class.html")
    text = page.read_text(encoding="utf-8")
    assert "from 0.24 to 0.13" in text and "it shrinks. (3 times)" in text and not unread
    assert "&lt;grows&gt;" in text and "<grows>" not in text
    assert "only me" not in text and "1 more questions have fewer than 5 guesses" in text
    assert "<td>80 to 100%</td><td>6</td><td>90%</td><td>50%</td>" in text


def test_fewer_than_five_students_are_refused_and_damaged_files_named(tmp_path, capsys):
    folder = write_class(tmp_path / "in", 5)
    (folder / "9.json").write_text('{"guesses": []}', encoding="utf-8")
    assert cli.main(["class", str(folder), "--out", str(tmp_path)]) == 0
    assert "9.json" in capsys.readouterr().out
    (folder / "1.json").write_text(
        '{"guesses": {}, "bets": {"flip": ["better", 7]}}', encoding="utf-8"
    )
    assert cli.main(["class", str(folder), "--out", str(tmp_path)]) == 1
    assert "at least 5 students" in capsys.readouterr().err


def test_a_student_shares_guesses_and_nothing_else(tmp_path, capsys):
    assert cli.main(["share", str(tmp_path / "mine.json")]) == 1
    assert "found none yet" in capsys.readouterr().err
    guesses.keep_guess("gap", "It shrinks.")
    assert cli.main(["share", str(tmp_path / "mine.json")]) == 0
    assert json.loads((tmp_path / "mine.json").read_text("utf-8")) == {
        "bets": {}, "guesses": {"gap": "It shrinks."},
    }  # fmt: skip


def test_outcomes_are_read_from_the_committed_lessons():
    outcomes = class_results.read_outcomes()
    assert len(outcomes) >= 3 and all(outcomes.values())


def test_lessons_show_what_the_class_guessed_where_the_file_is(tmp_path, capsys, monkeypatch):
    folder = write_class(tmp_path / "in")
    assert cli.main(["class", str(folder), "--out", str(tmp_path / "out")]) == 0
    written = tmp_path / "out" / guesses.CLASS_FILE
    assert "only me" not in written.read_text("utf-8")
    capsys.readouterr()
    guesses.reveal("gap", "from 0.24 to 0.13")
    assert capsys.readouterr().out == "It turned out: from 0.24 to 0.13\n"
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(prepared))
    (prepared / guesses.CLASS_FILE).write_bytes(written.read_bytes())
    guesses.keep_guess("gap", "It stays.")
    guesses.reveal("gap", "from 0.24 to 0.13")
    assert capsys.readouterr().out.splitlines() == [
        "You guessed: It stays.",
        "Your class guessed (6 guesses): it <grows>. (3) | it shrinks. (3)",
        "It turned out: from 0.24 to 0.13",
    ]
    guesses.reveal("rare", "never")
    assert capsys.readouterr().out == "It turned out: never\n"


def test_rarer_guesses_are_counted_together_and_a_damaged_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PREPARED_DIR", str(tmp_path))
    path = tmp_path / guesses.CLASS_FILE
    counted = [["up", 9], ["down", 4], ["same", 2], ["no idea", 1], ["both", 1]]
    path.write_text(json.dumps({"gap": counted}), encoding="utf-8")
    told = guesses.describe_class("gap")
    assert told.startswith("Your class guessed (17") and told.endswith("something else (2)")
    path.write_text("[", encoding="utf-8")
    assert str(path) in guesses.describe_class("gap")
