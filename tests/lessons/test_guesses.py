import pytest

from course_utils.lessons import guesses


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_guess_is_shown_beside_the_outcome(capsys):
    guesses.keep_guess("gap", " smaller, because … ")
    guesses.reveal("gap", "0.12")
    printed = capsys.readouterr().out
    assert printed == "You guessed: smaller, because …\nIt turned out: 0.12\n"


def test_a_later_guess_replaces_an_earlier_one_and_leaves_others():
    guesses.keep_guess("gap", "smaller")
    guesses.keep_guess("loss", "lower")
    guesses.keep_guess("gap", "larger")
    assert guesses.load_guesses() == {"gap": "larger", "loss": "lower"}


def test_what_is_written_in_the_box_is_kept_and_stands_there_the_next_time(capsys):
    box = guesses.guess("gap", "Will the gap grow?")
    box.text.value = " smaller "
    assert guesses.load_guesses() == {"gap": "smaller"} and "Saved" in box._state.value
    box.text.value = ""
    assert guesses.load_guesses() == {"gap": "smaller"} and box._state.value == ""
    assert guesses.guess("gap", "Will the gap grow?").text.value == "smaller"
    assert capsys.readouterr().out == ""


def test_pages_that_run_nothing_show_the_question_and_no_guess():
    guesses.keep_guess("gap", "smaller")
    data = guesses.guess("gap", "Is 1 < 2?")._repr_mimebundle_()
    assert "Is 1 &lt; 2?" in data["text/html"] and data["text/plain"] == "Your guess. Is 1 < 2?"
    assert "smaller" not in data["text/html"] + data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_an_empty_answer_leaves_the_kept_one():
    guesses.keep_guess("gap", "smaller")
    guesses.keep_guess("gap", " ")
    assert guesses.load_guesses() == {"gap": "smaller"}


def test_an_outcome_without_a_prediction_is_shown(capsys):
    guesses.reveal("never asked", "0.12")
    assert capsys.readouterr().out == "It turned out: 0.12\n"


@pytest.mark.parametrize("given", [(None, "Why?"), ("gap", 3)])
def test_a_question_that_is_no_text_is_refused(given):
    with pytest.raises(TypeError, match="both as text"):
        guesses.guess(*given)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "\x00"])
def test_a_damaged_file_is_named_and_kept_under_another_name(cache, capsys, content):
    (cache / "guesses.entry").write_text(content)
    guesses.keep_guess("gap", "smaller")
    (aside,) = cache.glob("guesses.entry.damaged-*")
    assert aside.read_text() == content
    said = capsys.readouterr().out
    assert f"{cache / 'guesses.entry'} is damaged" in said and f"kept as {aside.name}" in said
    assert guesses.load_guesses() == {"gap": "smaller"}
    assert capsys.readouterr().out == ""


def test_a_changed_letter_is_damage_and_no_other_guess(cache, capsys):
    guesses.keep_guess("gap", "smaller")
    path = cache / "guesses.entry"
    path.write_bytes(path.read_bytes().replace(b"smaller", b"smeller"))
    assert guesses.load_guesses() == {} and "damaged" in capsys.readouterr().out
    (aside,) = cache.glob("guesses.entry.damaged-*")
    assert "smeller" in aside.read_text(encoding="utf-8")


def test_letters_of_every_alphabet_are_kept_and_can_be_read(cache):
    guesses.keep_guess("gap", "plus petit, 더 작다")
    assert guesses.load_guesses() == {"gap": "plus petit, 더 작다"}
    assert '"plus petit, 더 작다"' in (cache / "guesses.entry").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answer", "sure", "score"),
    [("better", 1, "0.00"), ("better", 0.6, "0.16"), ("worse", 0.5, "0.25"), ("worse", 1, "1.00")],
)
def test_a_bet_is_scored_by_how_far_off_its_sureness_was(capsys, answer, sure, score):
    guesses.bet("flip", answer, choices=("better", "worse"), sure=sure)
    guesses.bet("flip", "", choices=("better", "worse"))  # an empty one leaves the kept one
    capsys.readouterr()
    guesses.score_bet("flip", "better")
    told = capsys.readouterr().out
    assert f"{answer!r}, {sure:.0%} sure" in told and f"Score: {score}" in told


def test_nothing_bet_is_nothing_scored_and_nonsense_is_refused(capsys):
    guesses.score_bet("flip", "better")
    assert capsys.readouterr().out == "You have bet nothing. It turned out: better.\n"
    with pytest.raises(ValueError, match="one of 'better', 'worse', received 'maybe'"):
        guesses.bet("flip", "maybe", choices=("better", "worse"))
    guesses.bet("flip", "Can’t tell ", choices=("better", "can't tell"))
    assert guesses.load_guesses("bets")["flip"][0] == "can't tell"
    for sure in (70, -0.1, "0.7", True):
        with pytest.raises((TypeError, ValueError), match="`sure` to be a number from 0 to 1"):
            guesses.bet("flip", "better", choices=("better", "worse"), sure=sure)
