"""The spread of values told piece by piece is that of all of them, and says which of them float32 can hold."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from longreach.data.files import spread, store
from longreach.data.files.collect import Collected, collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions
from longreach.data.files.spread import Spread
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError

from .conftest import Walks, make_walks, write_json_lines, write_long_csv, write_offsets, write_ts, write_wide_csv


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("at_once", [1, 7, 1 << 18])
def test_piece_by_piece_it_is_that_of_all(at_once: int, gaps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_VALUES_AT_ONCE", at_once)
    generator = np.random.default_rng(0)
    sequences = [generator.normal((1e7, 3.0), (2.0, 0.1), (length, 2)) for length in (5, 1, 30, 12)]
    if gaps:
        for sequence in sequences:
            sequence[generator.random(sequence.shape) < 0.5] = np.nan
        sequences[0][:, 1] = np.nan
    found = Spread()
    for sequence in sequences:
        found.add(sequence)
    assert found.needs_double
    whole = np.concatenate(sequences)
    np.testing.assert_allclose(found._mean, np.nanmean(whole, 0), rtol=1e-14)
    np.testing.assert_allclose(np.sqrt(found._square / found._number), np.nanstd(whole, 0), rtol=1e-8)
    np.testing.assert_array_equal(found._lowest, np.nanmin(whole, 0))


@pytest.mark.parametrize(
    ("values", "needs"),
    [
        ([0.1, 0.2, -0.7], False),
        ([0.1, 0.1, 0.1], False),
        ([8.12345, 8.12301, 8.12377], False),
        ([1.7e9, 1.7e9 + 1, 1.7e9 + 5], True),
        ([1.7e9, 1.8e9, 1.6e9], False),
        ([1.7e9, 1.7e9, 1.7e9], True),
        ([5e-324, 0.0, 0.0], True),
        (np.array([1.7e9, 1.7e9 + 1], np.float32), False),
        (np.array([1_700_000_000, 1_700_000_001]), True),
        (np.array([32_000, 32_001], np.int16), False),
    ],
)
def test_which_values_float32_can_hold(values: list[float] | np.ndarray, needs: bool) -> None:
    found = Spread()
    assert not found.needs_double
    found.add(np.asarray(values)[:, None])
    assert found.needs_double == needs


def read(path: Path, double: bool = False, **options) -> Collected:
    return collect(open_files(str(path), None, ReadOptions(), **options), double=double)


Write = Callable[[Path, Walks], None]
WRITTEN: dict[str, tuple[str, Write]] = {
    "wide CSV": ("walks.csv", write_wide_csv),
    "long CSV": ("walks.csv", write_long_csv),
    "JSON lines": ("walks.jsonl", write_json_lines),
    "npz with offsets": ("walks.npz", write_offsets),
    "ts": ("walks.ts", write_ts),
}


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_large_offset_takes_nothing_of_the_values(
    name: str, on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = WRITTEN[name]
    if on_disk:
        monkeypatch.setattr(store, "MEMORY_BYTES", 200)
    walks = [(1.7e9 + values, label) for values, label in make_walks(1)]
    write(tmp_path / file, walks)
    for _ in range(2):
        found = read(tmp_path / file).parts["train"]
        assert found.values.dtype == np.float64
        assert isinstance(found.values, np.memmap) == on_disk
        assert all(np.array_equal(found.sequence(row), values) for row, (values, _) in enumerate(walks))
        fitted = Standardisation.fit_parts(found.parts, found.lengths)
        whole = np.concatenate([values for values, _ in walks])
        right = (whole - whole.mean()) / whole.std()
        batch = found.standardised(fitted).batch(np.arange(len(walks)))
        own = np.concatenate([row[-length:] for row, length in zip(batch.values, batch.lengths, strict=True)])
        np.testing.assert_allclose(own, right, atol=1e-5)


def test_what_was_passed_over_is_passed_over_again_and_further_parts_follow(tmp_path: Path) -> None:
    rows = [[1.7e9 + 1, 1.7e9 + 2, "a"], [1.7e9, "", "b"], ["", "", "a"], [1.7e9 + 3, 1.7e9, "b"]]
    for name, extra in (("train.csv", rows), ("test.csv", [[1, 2e9, "a"], [0.1, 7, "b"]])):
        with (tmp_path / name).open("w", newline="") as stream:
            csv.writer(stream).writerows([["t0", "t1", "label"], *extra])
    collected = read(tmp_path / "train.csv", test_path=str(tmp_path / "test.csv"))
    train, test = collected.parts["train"], collected.parts["test"]
    assert [train.sequence(row).ravel().tolist() for row in range(3)] == [
        [1.7e9 + 1, 1.7e9 + 2], [1.7e9], [1.7e9 + 3, 1.7e9],
    ]  # fmt: skip
    assert [test.sequence(row).ravel().tolist() for row in range(2)] == [[1, 2e9], [0.1, 7]]
    alone = read(tmp_path / "test.csv").parts["train"]
    assert alone.values.dtype == np.float32
    assert read(tmp_path / "test.csv", double=True).parts["train"].values.dtype == np.float64


def test_files_that_change_between_two_readings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.ts"
    path.write_text("@classLabel true a b\n@data\n1700000000,1700000001:a\n1700000003,1700000004:b\n")
    source, reads = open_files(str(path), None, ReadOptions()), []
    begin = source.parts["train"]

    def changing():
        reads.append(1)
        if len(reads) == 2:
            path.write_text(path.read_text().replace("3,17", "3,5,17"))
        return begin()

    monkeypatch.setitem(source.parts, "train", changing)
    with pytest.raises(DataError) as caught:
        collect(source)
    assert str(caught.value) == f"{source.told}: the files changed while they were read; read them again"


def test_numbers_of_json_are_whole_or_not(tmp_path: Path) -> None:
    lines = [{"values": [1_700_000_000 + step * row for step in range(4)], "label": "ab"[row % 2]} for row in range(6)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read(tmp_path / "x.jsonl").parts["train"]
    assert found.values.dtype == np.float64
    assert found.sequence(5).ravel().tolist() == lines[5]["values"]
