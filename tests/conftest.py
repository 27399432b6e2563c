"""What holds for all tests: one thread in each process, and Hypothesis without a stopwatch."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

# Several threads in processes side by side wait for one another; a test of a second then takes minutes.
torch.set_num_threads(1)
# Of the processes that tests start, too: what is compared to the last bit must be computed alike.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# A loaded machine must not fail a property; and what a check finds must not depend on the day.
settings.register_profile("longreach", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("longreach")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
