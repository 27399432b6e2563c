"""A cache of its own for every test, and the same walks in every format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


Walks = list[tuple[np.ndarray, str]]


def make_walks(channels: int) -> Walks:
    """Thirty walks of 5 to 20 steps, which 32-bit numbers hold exactly, and the way each goes."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(5, 20, 30)
    return [
        (generator.integers(-99, 99, (length, channels)) / 8, "up" if row % 3 else "down")
        for row, length in enumerate(lengths)
    ]


def write_wide_csv(path: Path, walks: Walks) -> None:
    longest = max(len(walk) for walk, _ in walks)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", *(f"t{step}" for step in range(longest))])
        for walk, label in walks:
            writer.writerow([label, *walk[:, 0], *[""] * (longest - len(walk))])


def write_long_csv(path: Path, walks: Walks, shuffled: bool = False) -> None:
    channels = walks[0][0].shape[1]
    rows = [
        [f"walk {row}", 0.5 * step, *walk[step], label]
        for row, (walk, label) in enumerate(walks)
        for step in range(len(walk))
    ]
    if shuffled:
        first = [
            next(place for place, row in enumerate(rows) if row[0] == f"walk {walk}") for walk in range(len(walks))
        ]
        rest = [place for place in np.random.default_rng(1).permutation(len(rows)) if place not in first]
        # The first rows keep their order: sequences come in that of their first rows.
        rows = [rows[place] for place in [*first, *rest]]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "time", *(f"c{channel}" for channel in range(channels)), "label"])
        writer.writerows(rows)


def write_json_lines(path: Path, walks: Walks) -> None:
    with path.open("w") as stream:
        for walk, label in walks:
            values = walk[:, 0].tolist() if walk.shape[1] == 1 else walk.tolist()
            stream.write(json.dumps({"values": values, "label": label}) + "\n")


def write_parquet(path: Path, walks: Walks) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [walk[:, 0].tolist() if walk.shape[1] == 1 else walk.tolist() for walk, _ in walks]
    pq.write_table(pa.table({"values": values, "label": [label for _, label in walks]}), path)


def write_offsets(path: Path, walks: Walks) -> None:
    offsets = np.cumsum([0, *(len(walk) for walk, _ in walks)])
    labels = np.array([label for _, label in walks])
    np.savez(path, values=np.concatenate([walk for walk, _ in walks]), offsets=offsets, labels=labels)


def write_ts(path: Path, walks: Walks) -> None:
    with path.open("w") as stream:
        stream.write("# walks\n@problemName walks\n@timeStamps false\n@missing false\n@equalLength false\n")
        stream.write(
            f"@univariate {'true' if walks[0][0].shape[1] == 1 else 'false'}\n@classLabel true down up\n@data\n"
        )
        for walk, label in walks:
            stream.write(":".join(",".join(map(str, channel)) for channel in walk.T.tolist()) + f":{label}\n")


Write = Callable[[Path, Walks], None]

FORMATS: dict[str, tuple[str, Write]] = {
    "wide CSV": ("walks.csv", write_wide_csv),
    "long CSV": ("walks.csv", write_long_csv),
    "shuffled long CSV": ("walks.csv", lambda path, walks: write_long_csv(path, walks, shuffled=True)),
    "JSON lines": ("walks.jsonl", write_json_lines),
    "Parquet": ("walks.parquet", write_parquet),
    "npz with offsets": ("walks.npz", write_offsets),
    "ts": ("walks.ts", write_ts),
}
