"""The two tests are balanced and parallel, and a class's change is scored with intervals."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from course_utils import cli
from course_utils.exercises.framework.misconceptions import (
    FORMS,
    KEYS,
    LETTERS,
    MISCONCEPTIONS,
    list_items,
    write_sheet,
    write_test,
)
from course_utils.exercises.framework.scores import (
    COLUMNS,
    describe_scores,
    paired_change,
    read_answers,
    score_class,
)


@pytest.mark.parametrize("form", FORMS)
def test_no_letter_is_right_or_believed_more_often(form):
    for letters in KEYS[form]:
        assert sorted(Counter(letters).values()) == [3, 3, 4], f"{form}: {letters}"
    assert all(asked.right != asked.believed for asked in list_items(form))


@pytest.mark.parametrize("form", FORMS)
def test_the_right_option_is_not_the_longest(form):
    for asked in list_items(form):
        wrong = (asked.item.belief, asked.item.third)
        assert len(asked.item.right) <= max(map(len, wrong)), f"{asked.item.right!r} stands out"
    right = np.mean([len(asked.item.right) for asked in list_items(form)])
    other = np.mean([len(o) for a in list_items(form) for o in (a.item.belief, a.item.third)])
    assert right <= other


def test_the_forms_ask_the_same_ideas_in_other_words_and_places():
    before, after = (list_items(form) for form in FORMS)
    assert {asked.key for asked in before} == {asked.key for asked in after} == set(MISCONCEPTIONS)
    assert not {asked.item.stem for asked in before} & {asked.item.stem for asked in after}
    assert all(first.key != second.key for first, second in zip(before, after, strict=True))


@pytest.mark.parametrize("form", FORMS)
def test_a_test_shows_every_option_and_no_answer_unless_asked(form):
    plain, answered = write_test(form=form), write_test(form=form, answers=True)
    for number, asked in enumerate(list_items(form), start=1):
        lines = [f"- {x}. {text}" for x, text in zip(LETTERS, asked.options, strict=True)]
        assert f"**{number}.** {asked.item.stem}\n\n" + "\n".join(lines) in plain
        assert f"*Answer {asked.right}.*" in answered.split(asked.item.stem)[1].split("**")[0]
    assert "*Answer" not in plain and write_sheet(form).count("○") == 30


def test_the_interval_covers_the_true_change_as_often_as_it_says():
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(2_000):
        # Of 25 students 48 % have the belief before, 30 % after.
        draw = random.random(25)
        before, after = draw < 0.48, (draw > 0.12) & (draw < 0.42)
        _, low, high = paired_change(before, after)
        covered += low <= 0.30 - 0.48 <= high
    assert covered / 2_000 > 0.935


def write_class(folder, count=8, *, change=None):
    rows = []
    for number in range(count):
        for form in FORMS:
            letters = [
                asked.right if form == "after" and number % 2 else asked.believed
                for asked in list_items(form)
            ]
            rows.append([f"s{number}", form, *letters])
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = change(table) if change else table
    path = folder / "answers.csv"
    table.to_csv(path, index=False)
    return path


def test_a_class_is_scored_by_pairs(tmp_path):
    scored = score_class(read_answers(write_class(tmp_path, change=lambda t: t.iloc[:-1])))
    assert scored.attrs["students"] == 7 and scored.attrs["left out"] == 1
    assert (scored["before"] == 1).all() and np.allclose(scored["after"], 4 / 7)
    assert (scored["low"] < scored["change"]).all() and (scored["change"] < scored["high"]).all()
    assert "Right answers of ten: 0.0 before, 4.3 after" in describe_scores(scored)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="q7"), "found no q7"),
        (lambda t: t.assign(form="during"), "during"),
        (lambda t: t.assign(q2="d"), "'d'"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "twice"),
        (lambda t: t.iloc[:6], "found 3"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_sentence(tmp_path, change, said):
    with pytest.raises(ValueError, match="Expected") as refused:
        score_class(read_answers(write_class(tmp_path, change=change)))
    assert said in str(refused.value)


def test_the_command_line_prints_tests_sheets_and_scores(tmp_path, capsys):
    assert cli.main(["exercises", "--test", "after", "--answers"]) == 0
    assert "*Answer " in capsys.readouterr().out
    assert cli.main(["exercises", "--sheet", "before"]) == 0
    assert "Code name" in capsys.readouterr().out
    assert cli.main(["exercises", "--score", str(write_class(tmp_path))]) == 0
    assert "8 students took both tests" in capsys.readouterr().out
    assert cli.main(["exercises", "--score", str(tmp_path / "none.csv")]) == 1
