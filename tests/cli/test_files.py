"""Train, evaluate, predict and check on people's own files, as typed in a shell."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from own_files import SETTINGS, numbers, write_arrays, write_audio, write_json_lines, write_table, write_texts, write_ts


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("write", "odd", "told"),
    [
        (write_table, "up", "CSV with a line of column names, a row is one sequence, its steps in 25 columns 't0' to "
         "'t24', labels in 'label'"),
        (write_json_lines, "up", "JSON lines, a row is one sequence, a list in 'x', labels in 'y'"),
        (write_arrays, "up", "NumPy arrays, train (60, 8) of float64 as (sequences, steps), with labels of y"),
        (write_ts, "up", ".ts of the UCR/UEA archive"),
        (write_audio, "high", "recordings, a step is one sample of the sound, a folder for each class"),
        (write_texts(".txt"), "greek", "texts, a step is one character, a folder for each class"),
        (write_texts(".bin"), "greek", "files, a step is one byte, a folder for each class"),
    ],
    ids=["table", "JSON lines", "arrays", "ts", "audio", "text", "bytes"],
)  # fmt: skip
def test_train_evaluate_and_predict_from_end_to_end(command, tmp_path: Path, write, odd: str, told: str) -> None:
    own, new = write(tmp_path)
    checked = command("check", own)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines()[0] == f"read as {own}: {told}"
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: auto, path: {own}}}"]))
    done = command("train", tmp_path / "own.yaml", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0] == f"{own}: {told}"
    assert said[1].startswith("test part: ")
    assert said[2].startswith("validation part: ")
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["test_accuracy"] >= 0.9
    evaluated = command("evaluate", tmp_path / "run", "--json")
    assert json.loads(evaluated.stdout)["accuracy"] == record["test_accuracy"]
    everything = command("evaluate", tmp_path / "run", own, "--json")
    scores = json.loads(everything.stdout)
    assert scores["samples"] == (60 if odd == "up" else 40)
    predicted = command("predict", tmp_path / "run", new)
    assert predicted.returncode == 0, predicted.stderr
    lines = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert [line["index"] for line in lines] == list(range(7))
    assert [line.get("id") for line in lines] == (
        sorted(path.name for path in new.iterdir()) if new.is_dir() else [None] * 7
    )
    assert sum((line["class"] == odd) == (row % 2 == 1) for row, line in enumerate(lines)) >= 6


def write_steps(path: Path, rows: list[tuple[list[float], str]], labelled: bool) -> Path:
    """A row is a step; the sequences take turns, so that their order is that of their first rows."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["recording", "time", "acc", "note", *(["kind"] if labelled else [])])
        for step in range(25):
            for row, (values, label) in reversed(list(enumerate(rows))):
                if step < len(values):
                    writer.writerow([f"r{row:03d}", step, values[step], "dry", *([label] if labelled else [])])
    return path


def test_sequences_are_called_by_their_ids(command, tmp_path: Path) -> None:
    own = write_steps(tmp_path / "own.csv", numbers(60), True)
    new = write_steps(tmp_path / "new.csv", numbers(7), False)
    columns = ["--set", "data.id_column=recording", "--set", "data.label_column=kind"]
    checked = command("check", own, *columns)
    assert checked.stdout.splitlines()[0] == (
        f"read as {own}: CSV with a line of column names, a row is one step, sequences by 'recording', sorted by "
        "'time', channels 'acc', labels in 'kind', not used 'note'"
    )
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: auto, path: {own}}}"]))
    done = command("train", tmp_path / "own.yaml", *columns, "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in command("predict", tmp_path / "run", new).stdout.splitlines()]
    assert [(line["index"], line["id"]) for line in lines] == [(place, f"r{6 - place:03d}") for place in range(7)]
    assert sum((line["class"] == "up") == (int(line["id"][1:]) % 2 == 1) for line in lines) >= 6


def test_without_labels_only_the_memory_can_be_trained(command, tmp_path: Path) -> None:
    new, asked = write_steps(tmp_path / "new.csv", numbers(7), False), ["--set", "id_column=recording"]
    done = command("check", new, *asked)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == [
        "look  train part: expected a label for each sequence, found none; name the column with data.label_column, or "
        "sort the files into a folder for each class (without labels only `longreach pretrain` can learn from them)",
        "ready for `longreach pretrain` alone, without labels; 1 to look at",
    ]


def write_parts(path: Path, unlabelled: dict[str, int]) -> Path:
    """Sixty sequences by turns in the three parts, so many of each part without a label."""
    left = dict(unlabelled)
    with path.open("w") as stream:
        for row, (values, label) in enumerate(numbers(60)):
            part = ("train", "train", "train", "validation", "test")[row % 5]
            left[part] = left.get(part, 0) - 1
            stream.write(json.dumps({"x": values, "y": None if left[part] >= 0 else label, "split": part}) + "\n")
    return path


def test_training_sequences_without_a_label_are_not_monitored(command, tmp_path: Path) -> None:
    own = write_parts(tmp_path / "own.jsonl", {"train": 20})
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: table, path: {own}}}"]))
    assert command("check", tmp_path / "own.yaml").returncode == 0
    monitor = ("--set", "monitor=[train, validation]")
    done = command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet", *monitor)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "record.json").read_text())["curves"]["train"]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_without_labels_is_refused_before_anything_is_made(command, tmp_path: Path, part: str) -> None:
    own = write_parts(tmp_path / "own.jsonl", {part: 60})
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: table, path: {own}}}"]))
    checked = command("check", own)
    # Without labels in the training part the memory alone can be trained, which takes no other.
    assert checked.returncode == (0 if part == "train" else 2)
    assert checked.stdout.splitlines()[-1].startswith(
        "ready for `longreach pretrain` alone" if part == "train" else "1 "
    )
    done = command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet")
    assert (done.returncode, (tmp_path / "run").exists()) == (2, False)
    assert done.stderr.startswith(f"longreach: {part} part: expected a label for each sequence, found ")
    pretrained = command("pretrain", own, "--out", tmp_path / "memory", "--epochs", "1", "--quiet")
    assert pretrained.returncode == 0, pretrained.stderr


def test_data_that_must_be_mended_leave_no_run_folder_and_are_told_at_once(command, tmp_path: Path) -> None:
    rows = ["label,a,b", "x,1,2", "y,1,oops", "x,inf,3", "y,,4"]
    (tmp_path / "own.csv").write_text("\n".join(rows))
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, "data: {source: table, path: own.csv}"]))
    done = command("train", tmp_path / "own.yaml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "longreach: own.csv: row 1: expected a number in column 'b', found 'oops' at step 1; correct it, or name the "
        "columns of values with data.values_columns\n"
        "own.csv: row 2: expected finite numbers, found inf at step 0, channel 0 (1 of 2 values are infinite); mend "
        "the sequence or leave it out\n"
        "own.csv: row 3: expected numbers, found nan at step 0, channel 0 (1 of 2 values are missing); fill what is "
        "missing, leave the sequence out, or train with data.missing=mask\n"
        "read as own.csv: CSV with a line of column names, a row is one sequence, its steps in 'a' and 'b', labels in "
        "'label'; `longreach check` lists all there is to mend\n"
    )
    assert not (tmp_path / "run").exists()
    checked = command("check", "own.csv", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (2, "")
    assert checked.stdout.splitlines()[-1] == "3 to mend before training, 0 to look at"
    by_config = command("check", "own.yaml", "--json", cwd=tmp_path)
    assert by_config.returncode == 2
    assert len(json.loads(by_config.stdout)["grave"]) == 3


def test_columns_without_names_are_called_by_their_numbers(command, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("".join(f"{row},{row * 7 % 5},{row % 2}\n" for row in range(1, 21)))
    done = command("check", "own.csv", "--set", "label_column=2", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "labels in '2'" in done.stdout.splitlines()[0]


def test_check_takes_columns_and_reads_images(command, tmp_path: Path, mnist_folder: Path) -> None:
    (tmp_path / "own.csv").write_text("kind,a,b\n" + "".join(f"{row % 2 + 1},{row},{row * row}\n" for row in range(21)))
    done = command("check", "own.csv", "--set", "label_column=kind", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (
        "read as own.csv: CSV with a line of column names, a row is one sequence, its steps in 'a' and 'b', labels in "
        "'kind'\n"
        "rows, steps and channels are counted from 0\n"
        "train: 21 sequences of 2 steps, 1 channel\n"
        "  2 classes: 1 11, 2 10\n"
        "ready to train; nothing to look at\n"
    )
    missing = command("check", "own.csv", "--set", "label_column=sort", cwd=tmp_path)
    assert missing.returncode == 2
    assert missing.stderr == (
        "longreach: own.csv: expected a column 'sort', as data.label_column says, found kind, a, b; correct the name\n"
    )
    images = command("check", mnist_folder)
    assert images.returncode == 0
    assert images.stdout.splitlines()[0] == (
        f"read as {mnist_folder}: idx, train (120, 64, 1) of uint8 as (sequences, steps, channels), "
        "test (37, 64, 1) of uint8 as (sequences, steps, channels)"
    )
    assert images.stdout.splitlines()[2:4] == [
        "train: 120 sequences of 64 steps, 1 channel",
        "  4 classes: 0 30, 1 30, 2 30, 3 30",
    ]


def test_what_training_could_not_hold_out_is_told_by_check(command, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", values=np.arange(120.0).reshape(20, 6), y=np.arange(20) == 0)
    done = command("check", tmp_path / "x.npz")
    message = (
        "test split: expected at least 2 sequences of every class, found 1 of class 'True'; add some or drop the class"
    )
    assert (done.returncode, message in done.stdout) == (2, True)
    own = tmp_path / "own.yaml"
    own.write_text("\n".join([*SETTINGS, f"data: {{source: auto, path: {tmp_path / 'x.npz'}}}"]))
    assert f"to train with labels: {message}" in done.stdout
    assert message in command("train", own, "--out", tmp_path / "run").stderr


@pytest.mark.parametrize(
    ("labels", "is_told"),
    [
        (np.arange(30) / 7, True),
        (np.arange(30) % 9 * 10, False),
        (np.arange(30) // 2 * 10, False),
        (np.arange(32)[:30] // 1 % 20, True),
        (np.asarray(list("abcdefghij") * 3), False),
    ],
    ids=["decimals", "few classes", "half as many", "most of them", "names"],
)
def test_numbers_that_may_be_meant_as_such_are_told_by_check(command, tmp_path: Path, labels, is_told: bool) -> None:
    values = np.random.default_rng(0).normal(size=(30, 6))
    np.savez(tmp_path / "x.npz", values=values, y=labels)
    told = f"labels: expected names of classes, found {len(np.unique(labels))} numbers, such as "
    assert (told in command("check", tmp_path / "x.npz").stdout) is is_told
