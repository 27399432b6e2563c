"""More sequences than memory should hold go to disk, are found again, and are never half there."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from longreach.config import DataConfig
from longreach.data.files import store
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.ragged import RaggedDataset
from longreach.errors import DataError
from longreach.training.datasets import build_datasets

from .conftest import FORMATS, make_walks, write_json_lines


def read(path: Path, **options) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(**options)))


@pytest.mark.parametrize("name", FORMATS)
def test_on_disk_is_the_same_as_in_memory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = FORMATS[name]
    write(tmp_path / file, make_walks(1))
    in_memory = read(tmp_path / file).parts["train"]
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    collected = read(tmp_path / file)
    on_disk = collected.parts["train"]
    assert isinstance(on_disk.values, np.memmap)
    assert not isinstance(in_memory.values, np.memmap)
    assert on_disk.fingerprint() == in_memory.fingerprint()
    assert on_disk.class_names == in_memory.class_names


def test_the_disk_is_used_again_until_the_files_change(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    path = tmp_path / "x.ts"
    path.write_text("@classLabel true a b\n@data\n" + "1,2,3:a\n4,5,?:b\n" * 40)
    first = read(path)
    assert len(first.findings.grave) == 11
    (folder,) = own_cache.iterdir()
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    again = read(path)
    assert again.told == f"{path}: .ts of the UCR/UEA archive; taken from {folder}"
    assert again.findings.grave == first.findings.grave
    assert again.parts["train"].fingerprint() == first.parts["train"].fingerprint()
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    path.write_text(path.read_text().replace("?", "6"))
    changed = read(path)
    assert changed.findings.grave == []
    assert len(changed.parts["train"]) == 80
    assert len(list(own_cache.iterdir())) == 2


def test_ids_are_found_again_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{name},{step},{step + place},k" for place, name in enumerate(("b", "7", "é")) for step in range(30)]
    (tmp_path / "x.csv").write_text("\n".join(["id,time,acc,label", *rows]), encoding="utf-8")
    in_memory = read(tmp_path / "x.csv")
    assert in_memory.ids == {"train": ("b", "7", "é")}
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    for _ in range(2):
        on_disk = read(tmp_path / "x.csv")
        assert isinstance(on_disk.parts["train"].values, np.memmap)
        assert on_disk.ids == in_memory.ids


def test_the_rate_of_recordings_is_found_again_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in "ab":
        (tmp_path / "x" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "x" / label / "r.wav", np.random.default_rng(ord(label)).uniform(-1, 1, 90), 11025)
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    for told in ("", "; taken from "):
        on_disk = read(tmp_path / "x")
        assert told in on_disk.told
        assert isinstance(on_disk.parts["train"].values, np.memmap)
        assert on_disk.parts["train"].rate == 11025


def test_a_reading_that_fails_leaves_nothing(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    write_json_lines(tmp_path / "x.jsonl", make_walks(1))
    source = open_files(str(tmp_path / "x.jsonl"), None, ReadOptions())
    samples = source.parts["train"]

    def interrupted():
        for number, sample in enumerate(samples()):
            if number == 25:
                raise KeyboardInterrupt
            yield sample

    source.parts["train"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        collect(source)
    assert list(own_cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "file"))
    (tmp_path / "x.ts").write_text("@classLabel true a\n@data\n" + "1,2,3:a\n" * 40)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.ts")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/file/.")
    assert message.endswith(
        ": the sequences take more than 0 MB and cannot be written there (Not a directory); make room, or set "
        "LONGREACH_CACHE to a folder with more"
    )


def test_characters_on_disk_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in range(20):
        folder = tmp_path / "texts" / "ab"[row % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.txt").write_text("αβγ" * 30 + chr(97 + row))
    config = DataConfig(source="auto", path=str(tmp_path / "texts"), validation=4, test=4)
    in_memory = build_datasets(config)
    monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    for _ in range(2):
        on_disk = build_datasets(config)
        assert isinstance(on_disk.train, RaggedDataset)
        assert isinstance(on_disk.train.values, np.memmap)
        for part in ("train", "validation", "test"):
            assert getattr(on_disk, part).fingerprint() == getattr(in_memory, part).fingerprint()
        assert on_disk.train.vocabulary == in_memory.train.vocabulary


CODE = """
import resource, sys
import numpy as np, torch, sklearn.model_selection
from longreach.config import DataConfig
from longreach.data.files import store
from longreach.data.loader import SequenceLoader
from longreach.data.sequences import uneven_lengths
from longreach.training.datasets import build_datasets

store.MEMORY_BYTES = 1 << 22
np.random.default_rng(0).permutation(1000)
held = int(next(l for l in open("/proc/self/status") if l.startswith("VmData")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + (int(sys.argv[2]) << 20),) * 2)
data = build_datasets(DataConfig(source="arrays", path=sys.argv[1], validation=0.1))
seen = 0
for batch in SequenceLoader(data.train, 4, shuffle=True, lengths=uneven_lengths(data.train)):
    seen += batch.size
    assert batch.values.isfinite().all()
data.train.fingerprint()
print(seen, type(data.train.values).__name__, data.train.steps)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and read the way Linux does")
@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_memory_stays_flat_with_sets_much_larger_than_it(kind: str, tmp_path: Path) -> None:
    """120 MB of sequences of 100,000 steps, converted or as they lie, in 60 MB of memory beyond the libraries'."""
    rows, steps = 300, 100_000
    values = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=kind, shape=(rows, steps))
    generator = np.random.default_rng(0)
    for row in range(rows):
        values[row] = generator.integers(-9, 9, steps, dtype=np.int8)
    values.flush()
    del values
    np.save(tmp_path / "y.npy", np.arange(rows) % 2)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "x.npy", "60"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["216", "memmap", "100000"]


def test_the_limit_of_that_test_is_one() -> None:
    """A whole copy does not fit: without this the test above could not fail."""
    code = (
        "import resource, sys\nimport numpy as np\n"
        "held = int(next(l for l in open('/proc/self/status') if l.startswith('VmData')).split()[1]) * 1024\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (held + (60 << 20),) * 2)\n"
        "np.ones((300, 100_000), np.float32)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "MemoryError" in done.stderr
    assert hasattr(resource, "RLIMIT_DATA")
