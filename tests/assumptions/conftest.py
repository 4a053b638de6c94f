"""What tests of the libraries share."""

import warnings

import pytest


@pytest.fixture
def list_warnings():
    """A function that runs another one and returns what it was warned of, as text."""

    def run(act) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            act()
        return [str(each.message) for each in caught]

    return run
