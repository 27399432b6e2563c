"""Where `predict --out` writes, and what it never replaces."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

Command = Any
IMAGES = "t10k-images-idx3-ubyte.gz"


@pytest.fixture
def right(command: Command, trained: Path, mnist_folder: Path) -> str:
    return command("predict", trained, mnist_folder / IMAGES).stdout


@pytest.mark.parametrize("data", [IMAGES, "."])
def test_the_data_are_never_replaced(
    command: Command, trained: Path, mnist_folder: Path, data: str, tmp_path: Path
) -> None:
    before = (mnist_folder / IMAGES).read_bytes()
    link = tmp_path / "link"
    link.symlink_to(mnist_folder / IMAGES)
    for out in (mnist_folder / IMAGES, link):
        done = command("predict", trained, mnist_folder / data, "--out", out)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == (
            f"longreach: {out}: belongs to the data that are read, {mnist_folder / data}; give another file with --out"
        )
    assert (mnist_folder / IMAGES).read_bytes() == before


def test_a_link_stays_one(command: Command, trained: Path, mnist_folder: Path, right: str, tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    assert command("predict", trained, mnist_folder / IMAGES, "--out", tmp_path / "link.jsonl").returncode == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").read_text() == right


def test_a_pipe_is_written_into(
    command: Command, trained: Path, mnist_folder: Path, right: str, tmp_path: Path
) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert command("predict", trained, mnist_folder / IMAGES, "--out", pipe).returncode == 0
    reader.join()
    assert read == [right]
    assert pipe.is_fifo()


def test_a_pipe_of_the_shell_is_written_into(command: Command, trained: Path, mnist_folder: Path, right: str) -> None:
    here, there = os.pipe()
    read: list[str] = []
    with os.fdopen(here) as stream:
        reader = threading.Thread(target=lambda: read.append(stream.read()))
        reader.start()
        done = command("predict", trained, mnist_folder / IMAGES, "--out", f"/dev/fd/{there}")
        os.close(there)
        reader.join()
    assert (done.returncode, read) == (0, [right]), done.stderr
