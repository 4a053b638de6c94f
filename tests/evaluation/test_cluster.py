"""Two worker processes give what one process gives, also when one of them is killed."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from course_utils.augmentation.policy import Augmentation
from course_utils.core import environment
from course_utils.evaluation.compare import compare
from course_utils.features import forward

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")

POLICIES = {
    "none": Augmentation(),
    "flip": Augmentation(flip="horizontal"),
    "contrast": Augmentation(contrast=0.5),
}
OPTIONS = {"seeds": 3, "epochs": 3, "views": 3, "precision": "float32", "progress": False}


@pytest.fixture
def client():
    """A client of two processes on this machine."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def test_workers_give_the_same_numbers_and_one_may_be_killed(
    client, make_base, make_splits, tmp_path
):
    base, splits = make_base(), make_splits()
    alone = compare(POLICIES, splits, base, **OPTIONS)
    shared = tmp_path / "shared"

    def kill_one():
        # As soon as the first features are there, while others are yet to come.
        while not list(shared.glob("features/*/*.entry")):
            time.sleep(0.01)
        pids = client.run(os.getpid)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    with environment.using(COURSE_CACHE_DIR=str(shared)):
        killer = threading.Thread(target=kill_one)
        killer.start()
        together = compare(POLICIES, splits, base, client=client, **OPTIONS)
        killer.join()
    assert together.policies == alone.policies
    for policy in alone.policies:
        np.testing.assert_allclose(
            together.probabilities(policy), alone.probabilities(policy), atol=1e-5
        )


def test_the_client_itself_computes_nothing(client, make_base, make_splits, monkeypatch):
    base, splits = make_base(), make_splits()
    monkeypatch.setattr("course_utils.features.store.FeatureStore._pass", None)
    monkeypatch.setattr("course_utils.training.heads.Heads.fit", None)
    found = compare(POLICIES, splits, base, client=client, **OPTIONS)
    assert found.policies[-1] == "none again"


def test_what_a_worker_raises_is_raised_here(client, make_base, make_splits):
    with pytest.raises(ValueError, match="`views` to be a whole number from 1, received 0"):
        compare(POLICIES, make_splits(), make_base(), client=client, **OPTIONS | {"views": 0})


def test_workers_choose_as_the_clients_machine_would(make_base):
    base = make_base()
    with forward.given_speeds({"float32": 1.0, "bfloat16": 9.0}):
        assert forward.choose_precision(base) == "bfloat16"
    with forward.given_speeds({"float32": 9.0, "bfloat16": 1.0}):
        assert forward.choose_precision(base) == "float32"
