"""Every reader under broken files: an error in our words or a result, soon, in memory that goes with the file's size.

A hundred inputs each in the checks; `make fuzz` takes ten thousand.
"""

from __future__ import annotations

import itertools
import os
import random
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from fuzzed_readers import MB, READERS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from longreach.errors import LongreachError
from longreach.files import write_json
from longreach.memory import peak_resident_mb

EXAMPLES = int(os.environ.get("LONGREACH_FUZZ", "100"))
MOST_SECONDS = 30.0
Bounded = Callable[[float], AbstractContextManager[None]]
LOADED = 32 * MB
"""By how much the process may grow for libraries that load more of themselves."""

_SIZES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
_WORDS = (
    b"0",
    b"-1",
    b"1e999",
    b"nan",
    b"99999999999999999999",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b",",
    b":",
    b"{",
    b"[" * 50,
)


def mutated(seed: int, files: Sequence[bytes]) -> bytes:
    """One of the files with one to eight changes, or at times bytes that never were one."""
    chance = random.Random(seed)
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(200))
    content = bytearray(chance.choice(files))
    for _ in range(chance.randrange(1, 9)):
        _change(content, chance, files)
    return bytes(content)


def _change(content: bytearray, chance: random.Random, files: Sequence[bytes]) -> None:
    # Headers are where sizes stand: half of the changes go there.
    place = (
        chance.randrange(min(len(content), 160) + 1) if chance.random() < 0.5 else chance.randrange(len(content) + 1)
    )
    end = min(len(content), place + chance.choice((1, 2, 4, 8, 40, 400)))
    match chance.randrange(8):
        case 0 if place < len(content):
            content[place] ^= 1 << chance.randrange(8)
        case 1 if place < len(content):
            content[place] = chance.randrange(256)
        case 2:
            width = chance.choice((1, 2, 4, 8))
            number = chance.choice(_SIZES) & (256**width - 1)
            content[place : place + width] = number.to_bytes(width, chance.choice(("big", "little")))
        case 3:
            del content[place:end]
        case 4:
            content[place:place] = content[place:end] * chance.choice((1, 1, 3))
        case 5:
            content[place:place] = chance.choice(_WORDS)
        case 6:
            other = chance.choice(files)
            content[place:] = other[chance.randrange(len(other) + 1) :]
        case _:
            if chance.random() < 0.3:
                del content[place:]


@pytest.mark.parametrize("name", READERS)
def test_broken_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounded: Bounded) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    reader = READERS[name]
    whole = reader.whole()
    numbers, tally = itertools.count(), {"inputs": 0, "read": 0, "refused": 0, "most_bytes": 0, "seconds": 0.0}
    folder = tmp_path / "in"
    folder.mkdir()

    def attempt(content: bytes) -> None:
        # A path of its own: some libraries remember what they read at one.
        path = folder / str(next(numbers)) / reader.file
        path.parent.mkdir()
        path.write_bytes(content)
        began = time.perf_counter()
        held = peak_resident_mb()
        tracemalloc.start()
        try:
            with bounded(MOST_SECONDS), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    reader.read(path)
                    tally["read"] += 1
                except LongreachError:
                    tally["refused"] += 1
            # What libraries take behind Python's back is seen where it is more than ever before.
            peak = max(tracemalloc.get_traced_memory()[1], round((peak_resident_mb() - held) * 1e6) - LOADED)
        finally:
            tracemalloc.stop()
            for file in path.parent.iterdir():
                with suppress(OSError):
                    file.unlink()
        assert peak < reader.factor * len(content) + reader.spare, f"{peak:,} bytes for a file of {len(content):,}"
        tally["inputs"] += 1
        tally["most_bytes"] = max(tally["most_bytes"], peak)
        tally["seconds"] += time.perf_counter() - began

    # A reader that refuses everything would pass all that follows.
    for content in whole:
        with suppress(LongreachError):
            attempt(content)
    assert tally["read"] or name in ("list of dogs", "box of a dog", "stream of lines"), "reads no whole file"

    @settings(
        # Ten thousand are ten thousand; what is quick in the checks takes its share there alone.
        max_examples=EXAMPLES if EXAMPLES >= 10_000 else max(5, round(EXAMPLES * reader.share)),
        deadline=None,
        database=None,
        # Nothing to make smaller in a number; the file is printed instead.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    def all_of_them(seed: int) -> None:
        content = mutated(seed, whole)
        try:
            attempt(content)
        except BaseException as error:
            error.add_note(f"{name}: {content[:2000]!r}")
            raise

    all_of_them()
    if out := os.environ.get("LONGREACH_FUZZ_OUT"):
        write_json(Path(out) / f"{name}.json", {"reader": name, **tally, "seconds": round(tally["seconds"], 1)})
