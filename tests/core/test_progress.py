"""One quiet line: right words, little output, nothing where nobody looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.core import progress
from course_utils.core.progress import Progress, describe_seconds


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """Output looks like a terminal, wherever it is captured."""
    monkeypatch.setattr("_pytest.capture.CaptureIO.isatty", lambda _: True)


class Handle:
    """Stands in for a notebook's output: keeps what was shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, content, *, raw, display_id):
        assert raw and display_id
        self.shown.append(content["text/plain"])
        return self

    def update(self, content, *, raw):
        self.shown.append(content["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    handle = Handle()
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", handle)
    return handle


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 s"),
        (0.99, "under 1 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (190, "3 min 10 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (100 * 3600, "100 h 0 min"),
    ],
)
def test_seconds_are_said_in_words(seconds, words):
    assert describe_seconds(seconds) == words


@given(st.floats(1, 1e6))
def test_words_are_within_a_minute_of_the_seconds_and_within_half_a_second_below_an_hour(seconds):
    units = {"h": 3600, "min": 60, "s": 1}
    parts = describe_seconds(seconds).split()
    said = sum(int(n) * units[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))
    assert abs(said - seconds) <= (60.5 if "h" in parts else 0.5)


def test_nothing_is_written_where_output_is_piped_or_turned_off(clock, capsys, monkeypatch):
    for shown, isatty in ((True, False), (False, True)):
        monkeypatch.setattr(progress.sys.stdout, "isatty", lambda isatty=isatty: isatty)
        with Progress(3, "Working", shown=shown) as line:
            for _ in range(3):
                clock.now += 1
                line.advance()
    assert capsys.readouterr().out == ""


def test_terminal_line_tells_share_and_time_left_and_is_cleared(clock, terminal, capsys):
    with Progress(4, "Working") as line:
        clock.now += 10
        line.advance()
        assert capsys.readouterr().out.endswith("Working:  25%, 30 s left")
    assert capsys.readouterr().out == "\r\x1b[2K"


def test_line_is_rewritten_four_times_a_second_at_most(clock, terminal, capsys):
    with Progress(1000, "Working") as line:
        for _ in range(1000):
            clock.now += 0.01
            line.advance()
        assert 30 <= capsys.readouterr().out.count("Working") <= 41
        assert line.done == 1000


def test_nothing_to_do_writes_nothing(clock, terminal, capsys):
    with Progress(0, "Working"):
        pass
    assert capsys.readouterr().out == ""


def test_notebook_keeps_one_output_that_ends_with_a_stable_sentence(clock, notebook, capsys):
    with Progress(4, "Working") as line:
        clock.now += 10
        line.advance(2)
        clock.now += 10
        line.advance(2)
    assert notebook.shown == [
        "Working:  50%, 10 s left",
        "Working: 100%, under 1 s left",
        "Working: done",
    ]
    assert capsys.readouterr().out == ""


def test_interrupted_work_is_not_called_done(clock, notebook):
    with pytest.raises(KeyboardInterrupt), Progress(4, "Working") as line:
        clock.now += 10
        line.advance()
        raise KeyboardInterrupt
    assert notebook.shown[-1] == "Working: stopped"


def test_a_test_runs_in_no_notebook():
    assert not progress.in_notebook()
