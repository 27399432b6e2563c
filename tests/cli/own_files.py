"""People's own files in every format: sequences of two classes, labelled to train on and new ones to predict."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

SETTINGS = [
    "name: own",
    "model: {hidden_size: 8, embedding_size: 4, head_size: 8}",
    "truncation: 10",
    "auxiliary: [{kind: recall, anchors: 2, queries: 4, truncation: 6, readout_size: 8}]",
    "phases: [{updates: 40, learning_rate: 0.02}]",
    "tensorboard: false",
]


def numbers(count: int) -> list[tuple[list[float], str]]:
    """Sequences that rise or fall."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(8, 25, count)
    return [
        ((np.arange(length) * (1 if row % 2 else -1) + generator.normal(size=length)).round(3).tolist(),
         "up" if row % 2 else "down")
        for row, length in enumerate(lengths)
    ]  # fmt: skip


def write_table(folder: Path) -> tuple[Path, Path]:
    def write(path: Path, rows: list[tuple[list[float], str]], labelled: bool) -> Path:
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*(f"t{step}" for step in range(25)), *(["label"] if labelled else [])])
            for values, label in rows:
                writer.writerow([*values, *[""] * (25 - len(values)), *([label] if labelled else [])])
        return path

    return write(folder / "own.csv", numbers(60), True), write(folder / "new.csv", numbers(7), False)


def write_json_lines(folder: Path) -> tuple[Path, Path]:
    def write(path: Path, rows: list[tuple[list[float], str]]) -> Path:
        path.write_text(
            "".join(json.dumps({"x": [[v, -v] for v in values], "y": label}) + "\n" for values, label in rows)
        )
        return path

    return write(folder / "own.jsonl", numbers(60)), write(folder / "new.jsonl", numbers(7))


def write_arrays(folder: Path) -> tuple[Path, Path]:
    rows = numbers(60)
    values = np.array([values[:8] for values, _ in rows])
    np.savez(folder / "own.npz", x=values, y=[label for _, label in rows])
    np.save(folder / "new.npy", values[:7])
    return folder / "own.npz", folder / "new.npy"


def write_ts(folder: Path) -> tuple[Path, Path]:
    def write(path: Path, rows: list[tuple[list[float], str]]) -> Path:
        lines = [f"{','.join(map(str, values))}:{label}" for values, label in rows]
        path.write_text("\n".join(["@univariate true", "@classLabel true down up", "@data", *lines]))
        return path

    return write(folder / "own.ts", numbers(60)), write(folder / "new.ts", numbers(7))


def write_audio(folder: Path) -> tuple[Path, Path]:
    for row in range(40):
        label = "high" if row % 2 else "low"
        (folder / "own" / label).mkdir(parents=True, exist_ok=True)
        sound = np.sin(np.arange(40 + row) * (1.5 if row % 2 else 0.2)) / 2
        soundfile.write(folder / "own" / label / f"{row}.wav", sound, 8000)
        if row < 7:
            (folder / "new").mkdir(exist_ok=True)
            soundfile.write(folder / "new" / f"{row}.wav", sound, 8000)
    return folder / "own", folder / "new"


def write_texts(ending: str) -> Callable[[Path], tuple[Path, Path]]:
    def write(folder: Path) -> tuple[Path, Path]:
        for row in range(40):
            label = "greek" if row % 2 else "latin"
            (folder / "own" / label).mkdir(parents=True, exist_ok=True)
            text = ("αβγ δ" if row % 2 else "abc d") * (2 + row % 5)
            (folder / "own" / label / f"{row}{ending}").write_text(text, encoding="utf-8")
            if row < 7:
                (folder / "new").mkdir(exist_ok=True)
                (folder / "new" / f"{row}{ending}").write_text("☃" + text, encoding="utf-8")
        return folder / "own", folder / "new"

    return write
