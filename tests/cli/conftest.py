"""A small trained run and small files that the commands are tried on."""

from __future__ import annotations

import gzip
import io
import struct
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from longreach.cli import main


@dataclass
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture(scope="session")
def command() -> Command:
    """longreach as a user runs it, but for the process: importing everything anew would take most of the time."""

    def run(*arguments: str | Path, cwd: Path | None = None) -> Done:
        out, errors = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
            patch.setattr(sys, "argv", ["longreach", *map(str, arguments)])
            if cwd is not None:
                patch.chdir(cwd)
            with pytest.raises(SystemExit) as ended:
                main()
        return Done(ended.value.code, out.getvalue(), errors.getvalue())

    return run


@pytest.fixture
def refused(command: Command, tmp_path: Path) -> Callable[..., str]:
    """The message of a command that must refuse its input."""

    def refuse(*arguments: str | Path) -> str:
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr

    return refuse


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture(scope="session")
def mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four IDX files of 8 x 8 images in which the class is a bright row."""
    folder = tmp_path_factory.mktemp("mnist")
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 120), ("t10k", 37)):
        labels = np.arange(count) % 4
        images = generator.integers(0, 60, (count, 8, 8))
        images[np.arange(count), labels * 2] = 250
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, mnist_folder: Path, command: Command) -> Path:
    """The run folder of a small training by the command line."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    settings = [
        f"data.path={mnist_folder}",
        "data.validation=20",
        "model.hidden_size=12",
        "model.embedding_size=4",
        "phases.0.epochs=null",
        "phases.0.updates=60",
        "phases.0.learning_rate=0.01",
        "phases.0.warmup=0",
        "auxiliary.0.weight=1.0",
        "auxiliary.0.readout_size=16",
        "truncation=16",
    ]
    done = command("train", "mnist-recall", "--out", folder, *[part for s in settings for part in ("--set", s)])
    assert done.returncode == 0, done.stderr
    return folder
