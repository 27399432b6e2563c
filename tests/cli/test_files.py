"""Train, evaluate, predict and check on people's own files, as typed in a shell."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
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


def test_recordings_of_another_rate_are_refused(command, tmp_path: Path) -> None:
    own, new = write_audio(tmp_path)
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: auto, path: {own}}}"]))
    assert command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet").returncode == 0
    tree = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert (tree["input_rate"], tree["about"]["Data"]["samples a second"]) == (8000, 8000)
    for folder in (own, new):
        for path in folder.rglob("*.wav"):
            soundfile.write(path, soundfile.read(path)[0], 4000)
    for verb, data in (("evaluate", own), ("predict", new)):
        done = command(verb, tmp_path / "run", data)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[1:] == [
            f"longreach: {data}: expected 8000 samples a second, as the run was trained on, found 4000; resample the "
            "recordings to 8000"
        ]


def test_a_run_on_one_format_reads_another(command, tmp_path: Path) -> None:
    own, _ = write_table(tmp_path)
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: table, path: {own}}}"]))
    assert command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet").returncode == 0
    other, _ = write_ts(tmp_path)
    by_table = json.loads(command("evaluate", tmp_path / "run", own, "--json").stdout)
    by_ts = json.loads(command("evaluate", tmp_path / "run", other, "--json").stdout)
    assert by_table == by_ts
    assert by_table["samples"] == 60


def write_channels(path: Path, order: list[str], split: bool = False) -> Path:
    """Steps of two channels that go apart: which is which tells the class."""
    generator = np.random.default_rng(1)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "time", *order, "label", *(["split"] if split else [])])
        for row in range(40):
            for step in range(10):
                acc = (1 if row % 2 else -1) * step + generator.normal() * 0.1
                cells = {"acc": acc, "gyro": -acc, "battery": acc}
                part = [["train", "test", "validation"][row % 3]] if split else []
                writer.writerow([f"r{row}", step, *(cells[name] for name in order), "up" if row % 2 else "down", *part])
    return path


@pytest.fixture(scope="module")
def channels_run(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table of steps with the channels acc and gyro."""
    folder = tmp_path_factory.mktemp("channels")
    own = write_channels(folder / "own.csv", ["acc", "gyro"])
    (folder / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: table, path: {own}}}"]))
    assert command("train", folder / "own.yaml", "--out", folder / "run", "--quiet").returncode == 0
    return folder / "run"


def test_channels_are_found_by_their_names(command, tmp_path: Path, channels_run: Path) -> None:
    assert json.loads((channels_run / "record.json").read_text())["data"]["channels"] == ["acc", "gyro"]
    same, other = (write_channels(tmp_path / name, order) for name, order in (
        ("same.csv", ["acc", "gyro"]), ("other.csv", ["battery", "gyro", "acc"])
    ))  # fmt: skip
    for name, labels, unused in (
        ("evaluate", "labels in 'label'", ", not used 'battery'"),
        ("predict", "without labels, not used 'label'", ""),
    ):
        first, second = command(name, channels_run, same), command(name, channels_run, other)
        assert (first.returncode, first.stdout) == (second.returncode, second.stdout) == (0, first.stdout)
        assert first.stderr.endswith(f"sorted by 'time', channels 'acc' and 'gyro', {labels}\n")
        assert f"channels 'acc' and 'gyro', {labels.split(',')[0]}" in second.stderr
        assert unused in second.stderr
    assert json.loads(command("evaluate", channels_run, other, "--json").stdout)["accuracy"] == 1.0
    renamed = write_channels(tmp_path / "renamed.csv", ["acc", "battery"])
    done = command("predict", channels_run, renamed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "longreach: renamed.csv: expected the channels acc, gyro, as the training part has them, found no gyro among "
        "id, time, acc, battery, label; name them alike, or say which columns hold them, in that order, with "
        "data.values_columns\n"
    )
    named = command("predict", channels_run, renamed, "--set", "values_columns=[acc, battery]")
    assert named.returncode == 0, named.stderr


def test_parts_that_lie_elsewhere_have_their_channels_found_by_name(command, tmp_path: Path) -> None:
    own, other = (
        write_channels(tmp_path / "own.csv", ["acc", "gyro"]),
        write_channels(tmp_path / "o.csv", ["gyro", "acc"]),
    )
    data = f"data: {{source: table, path: {own}, test_path: {other}, validation_path: {other}}}"
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, data]))
    done = command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "record.json").read_text())["test_accuracy"] == 1.0


def test_every_row_is_predicted_whatever_part_it_names(command, tmp_path: Path, channels_run: Path) -> None:
    plain = command("predict", channels_run, write_channels(tmp_path / "plain.csv", ["acc", "gyro"]))
    parted_file = write_channels(tmp_path / "parted.csv", ["acc", "gyro"], split=True)
    assert command("predict", channels_run, parted_file).stdout == plain.stdout
    assert len(plain.stdout.splitlines()) == 40
    done = command("evaluate", channels_run, parted_file, "--json")
    assert json.loads(done.stdout)["samples"] == 13
    assert done.stderr.endswith("parts by 'split'; the test part alone, 13 sequences\n")


def test_a_test_set_that_changed_is_not_the_run_s_own(command, tmp_path: Path) -> None:
    """Held out anew, it would hold sequences that were trained on."""
    own, _ = write_table(tmp_path)
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: table, path: {own}}}"]))
    run = tmp_path / "run"
    assert command("train", tmp_path / "own.yaml", "--out", run, "--quiet").returncode == 0
    assert command("evaluate", run).returncode == 0
    with own.open("a") as stream:
        stream.write(own.read_text().splitlines()[-1] + "\n")
    for name, part in (("evaluate", "test"), ("inspect", "train")):
        done = command(name, run)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(
            f"longreach: {run}: the {part} part is not the one that the run had (fingerprint "
        )
        assert done.stderr.endswith(
            f"bring its data back as they were, or test on other data with `longreach evaluate {run} DATA`\n"
        )
    everything = command("evaluate", run, own, "--json")
    assert json.loads(everything.stdout)["samples"] == 61


@pytest.fixture(scope="module")
def table_run(command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table of steps t0 to t24 and a label."""
    folder = tmp_path_factory.mktemp("table")
    own, _ = write_table(folder)
    (folder / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: table, path: {own}}}"]))
    assert command("train", folder / "own.yaml", "--out", folder / "run", "--quiet").returncode == 0
    return folder / "run"


def rewritten(table: Path, change: Callable[[int, dict[str, str]], dict[str, str] | None]) -> Path:
    """The table with each row changed or left out."""
    with table.open(newline="") as stream:
        rows = [done for row, line in enumerate(csv.DictReader(stream)) if (done := change(row, line)) is not None]
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return table


def test_a_sequence_without_a_label_is_not_counted_as_of_some_class(command, tmp_path: Path, table_run: Path) -> None:
    own, new = write_table(tmp_path)
    mend = "add them, name their column with --set label_column=NAME, or name the classes with `longreach predict`"
    done = command("evaluate", table_run, new)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[1:] == [
        f"longreach: {new}: expected a label for each sequence, found 7 of 7 without; {mend}"
    ]
    some = rewritten(own, lambda row, line: line | {"label": ""} if row in (3, 8) else line)
    done = command("evaluate", table_run, some)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[1:] == [
        f"longreach: {some}: expected a label for each sequence, found 2 of 60 without (the first is sequence 3); "
        + mend
    ]


def test_other_data_may_be_of_one_class(command, tmp_path: Path, table_run: Path) -> None:
    own, _ = write_table(tmp_path)
    one = rewritten(own, lambda _, line: line if line["label"] == "up" else None)
    scores = json.loads(command("evaluate", table_run, one, "--json").stdout)
    assert (scores["samples"], sum(scores["confusion"][scores["class_names"].index("up")])) == (30, 30)
    own.write_text("t0,t1,label\n1,2,sideways\n")
    assert command("evaluate", table_run, own).stderr.splitlines()[1:] == [
        f"longreach: {own}: expected classes among down, up, as the run was trained on, found sideways; name them alike"
    ]


def test_other_data_may_have_other_names(command, tmp_path: Path, table_run: Path) -> None:
    own, new = write_table(tmp_path)
    expected = command("evaluate", table_run, own).stdout
    named = rewritten(own, lambda row, line: {"sort": line.pop("label"), "who": f"r{row}", **line})
    assert command("evaluate", table_run, named).returncode == 2
    steps = "[" + ", ".join(f"t{step}" for step in range(25)) + "]"
    done = command("evaluate", table_run, named, "--set", "label_column=sort", "--set", f"data.values_columns={steps}")
    assert (done.returncode, done.stdout) == (0, expected)
    wrong = command("predict", table_run, new, "--set", "values_columns=[t9, t90]")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "expected a column 't90', as data.values_columns says" in wrong.stderr
    assert command("predict", table_run, new, "--set", "nothing=1").stderr == (
        "longreach: --set: unknown key 'data.nothing'; `longreach recipes NAME` prints every key there is\n"
    )
    assert command("predict", table_run, new, "--stream", "--set", "id_column=who").stderr == (
        "longreach: predict: --stream reads bare steps, as `longreach predict --help` says; leave --set out\n"
    )


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
        "missing or leave the sequence out\n"
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


def test_check_takes_columns_and_reads_images(command, tmp_path: Path, mnist_folder: Path) -> None:
    (tmp_path / "own.csv").write_text("kind,a,b\n1,2,3\n2,5,7\n1,4,4\n")
    done = command("check", "own.csv", "--set", "label_column=kind", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (
        "read as own.csv: CSV with a line of column names, a row is one sequence, its steps in 'a' and 'b', labels in "
        "'kind'\n"
        "rows, steps and channels are counted from 0\n"
        "train: 3 sequences of 2 steps, 1 channel\n"
        "  2 classes: 1 2, 2 1\n"
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
