"""Trained runs on data that they never saw: channels, labels, parts and rates that differ from training's."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from own_files import SETTINGS, write_audio, write_table, write_ts
from tiny_data import write_tiny

from longreach.commands import print_scores
from longreach.errors import DataError
from longreach.training.use import evaluate_run, predict_run


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))


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


@pytest.mark.parametrize("kind", ["table", "images"])
def test_noise_follows_other_data_as_it_followed_the_runs_own(
    command, tmp_path: Path, mnist_folder: Path, kind: str
) -> None:
    if kind == "table":
        train, _ = write_table(tmp_path)
        (tmp_path / "test").mkdir()
        test = new = rewritten(write_table(tmp_path / "test")[0], lambda row, line: line if row % 3 else None)
        data = f"{{source: table, path: {train}, test_path: {test}, noise: 30}}"
    else:
        test, new = mnist_folder, mnist_folder / "t10k-images-idx3-ubyte.gz"
        data = f"{{source: idx, path: {mnist_folder}, noise: 30}}"
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {data}"]))
    assert command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet").returncode == 0
    own, other = (json.loads(command("evaluate", tmp_path / "run", *data, "--json").stdout) for data in ((), (test,)))
    assert own == other
    lines = [json.loads(line) for line in command("predict", tmp_path / "run", new).stdout.splitlines()]
    found = [sum(line["class"] == name for line in lines) for name in own["class_names"]]
    assert found == np.sum(own["confusion"], axis=0).tolist()


def test_classes_are_printed_as_they_are_called(capsys) -> None:
    names = ["[idle]", "[/idle]", ":dog:"]
    scores = {"accuracy": 1.0, "f1": 1.0, "auroc": None, "loss": 0.0, "samples": 3, "class_names": names}
    print_scores(scores | {"confusion": np.eye(3, dtype=int).tolist(), "f1_per_class": [1.0] * 3})
    heading, *rows = (line.split() for line in capsys.readouterr().out.splitlines()[2:])
    assert heading == [*names, "F1"]
    assert [row[0] for row in rows] == names


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


def test_new_sequences_without_names_keep_their_first_step(command, tmp_path: Path) -> None:
    """Where the label of training is called 0, as nothing in the file names it, so is the first step of new ones."""
    own, new = tmp_path / "own.csv", tmp_path / "new.csv"
    rows = [([number * (0.5 if row % 2 else -0.5) + 0.25 for number in range(12)], row % 2) for row in range(40)]
    own.write_text("".join(f"{label},{','.join(map(str, values))}\n" for values, label in rows))
    new.write_text("".join(f"{','.join(map(str, values))}\n" for values, _ in rows[:4]))
    (tmp_path / "own.yaml").write_text(
        "\n".join([*SETTINGS, f"data: {{source: auto, path: {own}, label_column: '0'}}"])
    )
    run = tmp_path / "run"
    assert command("train", tmp_path / "own.yaml", "--out", run, "--quiet").returncode == 0
    assert json.loads((run / "record.json").read_text())["data"]["cells"] == [13, 13]
    by_file = [json.loads(line) for line in command("predict", run, new).stdout.splitlines()]
    assert by_file == [json.loads(line) for line in command("predict", run, own).stdout.splitlines()[:4]]
    for place, (values, _) in enumerate(rows[:4]):
        (tmp_path / "steps.txt").write_text("".join(f"{value}\n" for value in values))
        last = json.loads(command("predict", run, tmp_path / "steps.txt", "--stream").stdout.splitlines()[-1])
        assert last["steps"] == 12
        assert (last["class"], last["probability"]) == (
            by_file[place]["class"],
            pytest.approx(by_file[place]["probability"], abs=1e-5),
        )
    new.write_text("1.5,2.5\n3.5,4.5\n")
    done = command("predict", run, new)
    assert (done.returncode, done.stdout) == (2, "")
    assert "found 2, which does not tell whether column 0 holds classes" in done.stderr
    for said, steps in (("label_column=null", 2), ("data.label_column='0'", 1)):
        done = command("predict", run, new, "--set", said)
        assert done.returncode == 0, done.stderr
        assert ("in '0' and '1'" if steps == 2 else "in '1'") in done.stderr


def test_what_begins_with_a_dot_is_never_asked_of_the_hub(command, tmp_path: Path) -> None:
    """Such a path loses its ./ where it is made a Path, and would then be a name there."""
    (tmp_path / "tiny").mkdir()
    config = {
        "name": "documents",
        "data": {"source": "documents", "path": str(write_tiny(tmp_path / "tiny") / "wordnet14"), "validation": 0},
        "model": {"hidden_size": 4, "embedding_size": 3, "head_size": 4},
        "phases": [{"updates": 1}],
        "monitor": ["train"],
        "select": "last",
        "tensorboard": False,
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    done = command("train", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run"), "--quiet")
    assert done.returncode == 0, done.stderr
    for verb in ("evaluate", "predict"):
        done = command(verb, str(tmp_path / "run"), "./owner/name")
        assert done.returncode == 2
        assert done.stderr.startswith(f"longreach: {Path('owner/name').absolute()}: no such file or folder"), (
            done.stderr
        )


def test_a_class_of_the_training_part_alone_matters_to_no_test(command, tmp_path: Path, table_run: Path) -> None:
    own, _ = write_table(tmp_path)
    expected = json.loads(command("evaluate", table_run, own, "--json").stdout)
    rows = own.read_text().splitlines()
    more = [f"{rows[0]},split", *(f"{row},test" for row in rows[1:])]
    label = rows[0].split(",").index("label")
    other = rows[1].split(",")
    other[label] = "sideways"
    own.write_text("\n".join([*more, ",".join([*other, "train"])]) + "\n")
    done = command("evaluate", table_run, own, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_answers_that_are_no_numbers_are_refused(
    tmp_path: Path, table_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of values that are infinite once they are standardised in single precision."""
    own, _ = write_table(tmp_path)
    scores = torch.zeros(60, 2)
    scores[[2, 5], 1] = torch.nan
    monkeypatch.setattr("longreach.training.use.predict_logits", lambda *_: scores)
    for answer in (lambda: evaluate_run(table_run, own), lambda: list(predict_run(table_run, own))):
        with pytest.raises(DataError) as caught:
            answer()
        assert str(caught.value) == (
            f"{own}: expected values that the model can answer for, found 2 of 60 sequences (the first is sequence 2) "
            "whose class scores are no finite numbers: values that are far beyond those of training leave single "
            "precision; leave these sequences out, or mend their values"
        )


def test_a_run_on_bytes_reads_bytes_whatever_files_are_called(command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for row in range(10):
            place = tmp_path / "own" / name / f"{row}.csv"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"{name},{row}\n" * 3)
    (tmp_path / "own.yaml").write_text("\n".join([*SETTINGS, f"data: {{source: bytes, path: {tmp_path}/own}}"]))
    done = command("train", tmp_path / "own.yaml", "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 0, done.stderr
    whole = [json.loads(line) for line in command("predict", tmp_path / "run", tmp_path / "own").stdout.splitlines()]
    one = json.loads(command("predict", tmp_path / "run", tmp_path / "own" / "a" / "0.csv").stdout)
    assert len(whole) == 20
    assert (one["class"], one["probability"]) == (whole[0]["class"], pytest.approx(whole[0]["probability"], abs=1e-5))
