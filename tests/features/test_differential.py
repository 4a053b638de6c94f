"""Cases that the test writes itself: the history is the model's own, or training is refused."""

import pytest
from differential import run

pytestmark = pytest.mark.slow


def test_histories_of_models_that_a_student_might_write_are_the_models_own():
    outcomes = []
    run(50, outcomes)
    assert len(outcomes) >= 50
    assert outcomes.count("right") > 25 and outcomes.count("refused") > 2
