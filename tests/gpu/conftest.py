"""What holds for tests that hold float32 on a GPU against a CPU's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def whole_float32() -> Iterator[None]:
    """cuDNN would else round a float32 recurrence's products to ten bits."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before
