"""Blank cells and NaN in files, with data.missing: mask: filled and marked in training and ever after.

Shapes: N sequences, T steps, C channels.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_files import SETTINGS

from longreach import LongSequenceClassifier
from longreach.config import DataConfig, RunConfig, load_config, parse_config
from longreach.data.files import store
from longreach.data.prepared import PreparedSequences
from longreach.errors import ConfigError, DataError
from longreach.model.classifier import SequenceClassifier
from longreach.training.datasets import build_datasets
from longreach.training.evaluate import predict_logits
from longreach.training.fit import fit
from longreach.training.sources import read_files

DRAWS = np.random.default_rng(0)
RECORDINGS = [
    np.where(DRAWS.random((12 + row % 5, 2)) < 0.2, np.nan, DRAWS.normal(size=(12 + row % 5, 2)) * (1, 30) + (0, 500))
    for row in range(60)
]
LABELS = ["up" if row % 2 else "down" for row in range(60)]


def write_steps(path: Path, recordings: list[np.ndarray], labels: list[str] | None) -> Path:
    """A row for each step; what is missing is a blank cell, NaN or nan."""
    lines = ["id,time,acc,gyro" + (",label" if labels else "")]
    blanks = iter(["", "NaN", "nan"] * 10_000)
    for row, values in enumerate(recordings):
        for step, cells in enumerate(values):
            told = [next(blanks) if np.isnan(cell) else repr(float(cell)) for cell in cells]
            lines.append(",".join([f"r{row}", str(step), *told, *([labels[row]] if labels else [])]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_steps(tmp_path_factory.mktemp("gaps") / "walks.csv", RECORDINGS, LABELS)


@pytest.fixture(scope="module")
def trained(table: Path) -> Path:
    config = table.with_name("run.yaml")
    config.write_text("\n".join([*SETTINGS, f"data: {{source: auto, path: {table}, missing: mask}}"]))
    folder = table.with_name("run")
    fit(load_config(config), folder, progress=False, device="cpu")
    return folder


def test_values_are_filled_with_the_mean_of_the_training_part_and_marked(table: Path) -> None:
    data = build_datasets(DataConfig(source="table", path=str(table), missing="mask"))
    seen = [data.train.sequences.sequence(row) for row in range(len(data.train))]  # type: ignore[attr-defined]
    measured = np.concatenate(seen).astype(np.float64)
    mean, std = np.nanmean(measured, 0), np.nanstd(measured, 0)
    assert data.train.channels == data.test.channels == 4
    for part in (data.train, data.test):
        for row in range(len(part)):
            raw = part.sequences.sequence(row).astype(np.float64)  # type: ignore[attr-defined]
            expected = np.concatenate([np.nan_to_num((raw - mean) / std, nan=0.0), np.isnan(raw)], axis=1)
            found = part.batch(np.array([row])).values[0].numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert data.train.standardisation is not None
    np.testing.assert_allclose(data.train.standardisation.mean, mean, rtol=1e-12)


def test_a_run_and_an_estimator_read_the_same_numbers(table: Path, trained: Path) -> None:
    model = SequenceClassifier.from_pretrained(trained / "model")
    data = build_datasets(DataConfig(source="table", path=str(table), missing="mask"))
    train = [data.train.sequences.sequence(row) for row in range(len(data.train))]  # type: ignore[attr-defined]
    estimator = LongSequenceClassifier(hidden_size=4, max_epochs=1, missing="mask", random_state=0)
    estimator.fit(train, np.arange(len(train)) % 2)
    assert model.input_mean == pytest.approx(estimator.model_.input_mean, rel=1e-6)
    assert model.input_std == pytest.approx(estimator.model_.input_std, rel=1e-6)
    assert model.channels == estimator.model_.channels == 4


def test_other_data_streams_and_exports_answer_alike(
    command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = write_steps(tmp_path / "new.csv", RECORDINGS[:3], None)
    done = command("predict", trained, new)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["r0", "r1", "r2"]
    for row, answer in enumerate(answers):
        np.save(tmp_path / "one.npy", RECORDINGS[row])
        text = "\n".join(",".join(map(str, step)) for step in RECORDINGS[row])
        for data, stdin in ((tmp_path / "one.npy", ""), ("-", text)):
            monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
            lines = command("predict", trained, data, "--stream", "--chunk", "5").stdout.splitlines()
            assert json.loads(lines[-1])["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-5)
    # Where nothing is missing the same channels are there.
    whole = write_steps(tmp_path / "whole.csv", [np.nan_to_num(one, nan=0.5) for one in RECORDINGS[:2]], None)
    assert len(command("predict", trained, whole).stdout.splitlines()) == 2
    assert command("export", trained, "--out", tmp_path / "export").returncode == 0
    assert command("inspect", trained, "--out", tmp_path / "page.html").returncode == 0


def test_evaluate_reads_its_own_test_part_and_others(command, table: Path, trained: Path) -> None:
    record = json.loads((trained / "record.json").read_text())
    done = command("evaluate", trained, "--json")
    assert json.loads(done.stdout)["accuracy"] == record["test_accuracy"]
    assert json.loads(command("evaluate", trained, table, "--json").stdout)["samples"] == 60
    refused = command("evaluate", trained, table, "--set", "missing=error")
    assert (refused.returncode, refused.stderr) == (
        2,
        f"longreach: --set missing: expected mask, as {trained} was trained, found error; leave it out\n",
    )


def test_a_run_that_was_trained_without_gaps_does_not_take_them(command, table: Path, tmp_path: Path) -> None:
    whole = write_steps(tmp_path / "whole.csv", [np.nan_to_num(one, nan=0.5) for one in RECORDINGS], LABELS)
    config = parse_config(
        {"data": {"source": "auto", "path": str(whole)}, "phases": [{"updates": 2}], "tensorboard": False}, "test"
    )
    fit(config, tmp_path / "run", progress=False, device="cpu")
    refused = command("predict", tmp_path / "run", table)
    assert "leave the sequence out, or train with data.missing=mask" in refused.stderr
    refused = command("predict", tmp_path / "run", table, "--set", "data.missing=mask")
    assert f"--set data.missing: expected error, as {tmp_path / 'run'} was trained, found mask; leave" in refused.stderr


def test_check_takes_them_where_they_are_asked_for(command, table: Path, tmp_path: Path) -> None:
    assert command("check", table).returncode == 2
    done = command("check", table, "--set", "missing=mask")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ready to train; nothing to look at")
    nothing = [np.stack([one[:, 0], np.full(len(one), np.nan)], axis=1) for one in RECORDINGS]
    done = command("check", write_steps(tmp_path / "x.csv", nothing, LABELS), "--set", "missing=mask")
    assert done.returncode == 0
    assert "channel 1: expected values, found none in any training sequence; leave the channel out" in done.stdout


def test_a_spike_is_told_also_of_a_channel_that_most_sequences_lack(command, tmp_path: Path) -> None:
    sparse = [one.copy() for one in RECORDINGS]
    for one in sparse[:40]:
        one[:, 0] = np.nan
    sparse[50][5, 0] = 1e9
    done = command("check", write_steps(tmp_path / "x.csv", sparse, LABELS), "--set", "missing=mask")
    assert "channel 0: expected sequences of about one range, found 1e+09 from lowest to highest in" in done.stdout
    assert "id r50, where half of them stay within" in done.stdout


def test_what_was_converted_with_gaps_is_not_taken_for_what_may_have_none(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MEMORY_BYTES", 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    masked = DataConfig(source="table", path=str(table), missing="mask")
    assert read_files(masked).findings.grave == []
    plain = read_files(masked.model_copy(update={"missing": "error"}))
    assert len(plain.findings.grave) > 9
    assert read_files(masked).findings.grave == []


def test_channels_that_are_measured_in_turn_keep_their_changes_beside_an_offset(tmp_path: Path) -> None:
    """No step has all of them, and what each of them holds decides in which precision it is kept."""
    values = [1e6 + 0.01 * DRAWS.normal(size=(40, 2)) for _ in range(20)]
    for one in values:
        one[::2, 0] = one[1::2, 1] = np.nan
    path = write_steps(tmp_path / "turns.csv", values, LABELS[:20])
    data = build_datasets(DataConfig(source="table", path=str(path), missing="mask"))
    assert data.train.sequences.values.dtype == np.float64  # type: ignore[attr-defined]
    assert data.train.standardisation is not None
    assert data.train.standardisation.std == pytest.approx((0.01, 0.01), rel=0.1)


def test_very_long_sequences_are_read_in_pieces_to_the_same_answer(
    table: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SequenceClassifier.from_pretrained(trained / "model")
    data = build_datasets(DataConfig(source="table", path=str(table), missing="mask"))
    whole = predict_logits(model, data.test)
    asked = []
    plain = PreparedSequences.pieces
    monkeypatch.setattr(PreparedSequences, "pieces", lambda self, *more: (asked.append(more), plain(self, *more))[1])
    monkeypatch.setattr("longreach.training.evaluate.EVALUATION_STEPS", 7)
    torch.testing.assert_close(predict_logits(model, data.test), whole, rtol=0, atol=1e-6)
    assert len(asked) == len(data.test)


@pytest.mark.parametrize(
    "changes",
    [
        {"stored": {"grid": 2, "burn_in": 2}, "auxiliary": [], "truncation": 4},
        {"model": {"network": "transformer", "hidden_size": 4, "heads": 2}, "auxiliary": [], "truncation": None},
        {"data.workers": 2},
    ],
    ids=["stored states", "a network without a state", "workers"],
)
def test_every_way_of_training_takes_them(changes: dict[str, Any], table: Path, tmp_path: Path) -> None:
    tree = {"data": {"source": "auto", "path": str(table), "missing": "mask"}, "phases": [{"updates": 3}]}
    settings = {"model": {"hidden_size": 4, "head_size": 4}, "truncation": 5, "tensorboard": False}
    config = parse_config({**settings, **tree, **{k: v for k, v in changes.items() if "." not in k}}, "test")
    config = config.with_set({key: value for key, value in changes.items() if "." in key})
    assert fit(config, tmp_path / "run", progress=False, device="cpu")["updates"] == 3


def test_noise_beside_them_is_refused(table: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"data.noise: expected none beside data.missing mask, found 5; it would fall"
    ):
        parse_config({"data": {"source": "auto", "path": str(table), "missing": "mask", "noise": 5}}, "test")


def test_tokens_have_no_gaps(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"x": "abc", "y": "ab"[row % 2]}) + "\n" for row in range(20)))
    config = RunConfig(data=DataConfig(source="table", path=str(tmp_path / "x.jsonl"), missing="mask")).data
    with pytest.raises(ConfigError, match=r"^data.missing: mask is for real values, found tokens"):
        build_datasets(config)


def test_infinite_values_are_refused_all_the_same(tmp_path: Path) -> None:
    values = [one.copy() for one in RECORDINGS]
    values[4][3, 1] = np.inf
    path = write_steps(tmp_path / "x.csv", values, LABELS)
    with pytest.raises(DataError, match=r"id r4: expected finite numbers, found inf at step 3, channel 1"):
        build_datasets(DataConfig(source="table", path=str(path), missing="mask"))


def test_a_memory_is_trained_on_them(command, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "memory"
    settings = ["--epochs", "1", "--set", "hidden_size=4", "--set", "anchors=1", "--quiet"]
    done = command("pretrain", table, "--out", out, *settings, "--set", "missing=mask")
    assert done.returncode == 0, done.stderr
    model = LongSequenceClassifier(pretrained=out, hidden_size=4, max_epochs=1, missing="mask", random_state=0)
    model.fit(RECORDINGS, LABELS)
    refused = command("pretrain", table, "--out", tmp_path / "other", *settings, "--data-set", "missing=mask")
    assert "--data-set missing: give --set missing=mask, which the estimator has as well" in refused.stderr
