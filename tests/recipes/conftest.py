"""Tiny data in the form of every original that a recipe names, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_data import write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny"))
