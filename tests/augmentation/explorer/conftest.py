"""What the explorer's tests share."""

from types import SimpleNamespace

import pytest
from explorer_hands import RandomPhotos


@pytest.fixture
def splits():
    """Forty random photos of cars and trucks."""
    return SimpleNamespace(train=RandomPhotos(), class_names=("Car", "Truck"))
