"""Parquet and Arrow files are read in a process of their own first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from longreach.data.files import arrow_check, arrow_child
from longreach.data.files.arrow_check import check_arrow
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.hub import image_parts, load_rows
from longreach.errors import DataError


def hub_rows(path: Path) -> object:
    return load_rows(path, "train")


TABLE = pa.table({"label": ["a", "b"], "x": [[1.0, 2.5], [3.0]]})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path: Path, table: pa.Table = TABLE) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    return path


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_a_whole_file_passes_and_is_read_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / name)
    check_arrow(path)
    monkeypatch.setattr(subprocess, "run", None)
    check_arrow(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(TypeError):
        check_arrow(path)


def test_both_kinds_of_arrow_file(tmp_path: Path) -> None:
    feather.write_feather(TABLE, str(tmp_path / "x.arrow"), compression="uncompressed")
    assert arrow_child.check("arrow", str(tmp_path / "x.arrow"), 1 << 20)["unpacked"] == TABLE.nbytes


def test_a_broken_file_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "train.parquet")
    path = write(tmp_path / "data" / "test.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(DataError, match=r"test\.parquet: the data cannot be loaded: ArrowInvalid: Parquet magic"):
        open_files(str(tmp_path / "data"), "table", ReadOptions())


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_what_ends_the_reading_process_is_a_message(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / f"x.{kind}")
    script = tmp_path / "arrow_child.py"
    script.write_text(
        "import os, signal\nprint('{\"unpacked\": 9}', flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    first = write(tmp_path / f"a.{kind}")
    monkeypatch.setattr(arrow_check, "__file__", str(tmp_path / "arrow_check.py"))
    with pytest.raises(DataError) as caught:
        check_arrow(tmp_path)
    assert str(caught.value) == (
        f"{path}: the data cannot be loaded: the process that read it was ended by signal {signal.SIGSEGV.value}; "
        "the file is broken"
    )
    check_arrow(first)
    script.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(arrow_check, "_PATIENCE", 0.2)
    with pytest.raises(DataError, match="not read within 0 seconds; the file may be broken"):
        check_arrow(path)


def test_a_file_that_unpacks_to_far_more_than_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"x": np.zeros(20_000_000)}), path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match=r"expected at most 200 times .* found a Parquet file that unpacks to more"):
        check_arrow(path)


def test_a_size_that_is_only_declared(tmp_path: Path) -> None:
    path = write(tmp_path / "x.arrow")
    content = bytearray(path.read_bytes())
    # The length of the first message, right behind its mark.
    content[4:8] = (0x7FFFFFFF).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError):
        check_arrow(path)


@pytest.mark.parametrize("read", [lambda path: open_files(str(path), None, ReadOptions()), image_parts, hub_rows])
def test_nobody_here_reads_what_was_not_checked(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telling what a file is, image parts and rows as well: pyarrow and `datasets` are not reached."""
    data = tmp_path / "data"
    data.mkdir()
    write(data / "train.parquet")
    script = tmp_path / "arrow_child.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(arrow_check, "__file__", str(tmp_path / "arrow_check.py"))
    monkeypatch.setattr("pyarrow.parquet.read_schema", None)
    monkeypatch.setattr("datasets.load_dataset", None)
    with pytest.raises(DataError, match=r"train\.parquet: .* was ended by signal 11; the file is broken"):
        read(data)


def test_a_file_that_changes_while_it_is_looked_at_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.parquet")
    answers = arrow_check._answers

    def and_then_changed(paths: list[Path]) -> list[dict[str, Any]]:
        found = answers(paths)
        path.write_bytes(b"broken")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(arrow_check, "_answers", and_then_changed)
        check_arrow(path)
    with pytest.raises(DataError, match=r"x\.parquet: the data cannot be loaded"):
        check_arrow(path)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="processes have no limit here")
def test_the_reading_process_has_a_limit_on_its_memory() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; from arrow_child import _limit; _limit(1 << 20); bytearray(1 << 30)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(arrow_child.__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("MemoryError")
