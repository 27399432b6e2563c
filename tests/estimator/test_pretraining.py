"""A memory trained on files without labels, and what an estimator takes up of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.cli import app
from longreach.errors import ConfigError, DataError, RunError
from longreach.estimator.pretraining import _BY_OPTION, _OF_FITTING, pretrain_files

VALUES = np.random.default_rng(0).normal(loc=3.0, size=(48, 20, 2)).astype(np.float32)
Y = np.arange(12) % 2


def pretrain(data: Path, out: Path, *more: str) -> str:
    command = ["pretrain", str(data), "--out", str(out), "--epochs", "2", "--quiet", "--set", "hidden_size=6", *more]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    np.save(folder / "values.npy", VALUES)
    said = pretrain(folder / "values.npy", folder / "out")
    assert said.startswith("recall loss ")
    assert f"after 4 updates on 48 sequences; {folder / 'out'}" in said
    return folder / "out"


def test_an_estimator_begins_with_the_memory_and_reads_as_it_did(memory: Path) -> None:
    facts = json.loads((memory / "pretrained.json").read_text())
    assert facts["standardisation"]["mean"] == pytest.approx(VALUES.mean((0, 1)), rel=1e-5)
    assert facts["horizon"] == 20
    settings: dict[str, Any] = {"hidden_size": 6, "random_state": 0, "pretrained": memory, "max_epochs": 1}
    # So small a learning rate leaves the weights as they were.
    settings |= {"learning_rate": 1e-12, "recall": True}
    from safetensors.torch import load_file

    saved = load_file(memory / "pretrained.safetensors")
    for estimator in (LongSequenceClassifier(**settings), LongSequenceRegressor(**settings)):
        estimator.fit(list(VALUES[:12] + 1.0), Y)
        assert estimator.model_.input_mean == tuple(facts["standardisation"]["mean"])
        found = estimator._fitted.objective.state_dict()
        assert any(name.startswith("auxiliary.") for name in saved)
        for name, value in saved.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-8)
    assert not {name for name in saved if "head" in name}
    started = LongSequenceClassifier(**settings).partial_fit(list(VALUES[:12]), Y, classes=[0, 1])
    torch.testing.assert_close(
        started.model_.encoder.weight_hh_l0, saved["classifier.encoder.weight_hh_l0"], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize(("horizon", "asked"), [(None, 20), (5, 5), (90, 20)])
def test_lags_are_asked_for_as_far_as_the_estimator_says(memory: Path, horizon: int | None, asked: int) -> None:
    """Never beyond those that the readout knows; in further trainings too."""
    settings: dict[str, Any] = {"hidden_size": 6, "random_state": 0, "max_epochs": 1, "recall": True}
    model = LongSequenceClassifier(**settings, pretrained=memory, horizon=horizon, warm_start=True)
    for _ in range(2):
        (loss,) = model.fit(list(VALUES[:12]), Y)._fitted.objective.auxiliary
        assert (loss.horizon, loss.schedule.at(0)) == (20, asked)


def test_what_does_not_fit_the_memory_is_refused(memory: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        LongSequenceClassifier(pretrained=memory, hidden_size=7, cell="gru").fit(list(VALUES[:12]), Y)
    assert str(caught.value) == (
        f"pretrained: {memory} was trained with cell='lstm', hidden_size=6, found cell='gru', hidden_size=7; "
        "give the estimator the same"
    )
    # Its biases come with it.
    with pytest.raises(
        ConfigError, match=r"was trained with chrono=None, found chrono=20; give the estimator the same"
    ):
        LongSequenceClassifier(pretrained=memory, hidden_size=6, chrono=20).fit(list(VALUES[:12]), Y)
    with pytest.raises(DataError, match="X: expected 2 channels of numbers a step as in training, found 1 channel"):
        LongSequenceClassifier(pretrained=memory, hidden_size=6).fit(list(VALUES[:12, :, 0]), Y)
    with pytest.raises(RunError) as error:
        LongSequenceClassifier(pretrained=tmp_path).fit(list(VALUES[:12]), Y)
    assert str(error.value) == (
        f"{tmp_path}: no pretrained memory there; `longreach pretrain DATA --out {tmp_path}` makes one"
    )
    for name in ("pretrained.json", "pretrained.safetensors"):
        (tmp_path / name).write_bytes((memory / name).read_bytes())
    (tmp_path / "pretrained.safetensors").write_bytes(b"broken")
    with pytest.raises(RunError, match=r"the pretrained memory cannot be read .*; make it again"):
        LongSequenceClassifier(pretrained=tmp_path, hidden_size=6).fit(list(VALUES[:12]), Y)


def test_text_brings_its_vocabulary(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    for name, text in (("a", "abcd" * 5), ("b", "dcba" * 6), ("c", "abdc" * 4)):
        (folder / name).mkdir(parents=True)
        (folder / name / "text.txt").write_text(text)
    pretrain(folder, tmp_path / "out")
    model = LongSequenceClassifier(pretrained=tmp_path / "out", hidden_size=6, max_epochs=1)
    model.fit(["ab", "ba"] * 4, [0, 1] * 4)
    assert sorted(model._fitted.reader.vocabulary.symbols) == ["a", "b", "c", "d"]


def test_the_command_refuses_what_it_cannot_use(memory: Path, tmp_path: Path) -> None:
    data = memory.parent / "values.npy"

    def failed(*arguments: str) -> str:
        with pytest.raises((ConfigError, RunError, DataError)) as caught:
            CliRunner().invoke(app, ["pretrain", *arguments], catch_exceptions=False)
        return str(caught.value)

    assert failed(str(data), "--out", str(memory)) == (
        f"{memory}: holds other files; give a new or an empty folder with --out"
    )
    assert failed(str(data), "--out", str(tmp_path / "x"), "--set", "width=3").startswith(
        "--set: no parameter width; there is anchors, batch_size, "
    )
    assert failed(str(data), "--out", str(tmp_path / "x"), "--set", "hidden_size=0") == (
        "hidden_size: expected a whole number from 1 on, found 0"
    )
    nothing = ["max_epochs=3", "random_state=1", "recall=false", "pretrained=/nonexistent"]
    asked = [part for text in nothing for part in ("--set", text)]
    later = "does nothing before there are labels; give it to the estimator that begins with this memory"
    assert failed(str(data), "--out", str(tmp_path / "x"), *asked, "--data-set", "noise=9") == "\n".join(
        [
            "--set max_epochs: give --epochs instead",
            "--set random_state: give --seed instead",
            f"--set recall: {later}",
            f"--set pretrained: {later}",
            "--data-set noise: does nothing in pretraining, which reads the whole training part; leave it out",
        ]
    )
    assert not (tmp_path / "x").exists()


def test_keys_of_the_data_are_those_of_check_and_evaluate(memory: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "turned.npy", VALUES.transpose(0, 2, 1))
    turned = ("--data-set", "data.channels_first=true", "--set", "learning_rate=1e-3")
    pretrain(tmp_path / "turned.npy", tmp_path / "out", *turned)
    first, second = (json.loads((folder / "pretrained.json").read_text()) for folder in (memory, tmp_path / "out"))
    assert first["channels"] == second["channels"] == 2
    for asked, message in (
        ("nonsense", "--data-set nonsense: expected KEY=VALUE, such as --data-set channels_first=true"),
        ("a=[", "--data-set a=[: '[' is not valid YAML; put text with special signs in quotes"),
        ("x=1", "--data-set: unknown key 'data.x'; `longreach recipes NAME` prints every key there is"),
        ("path.x=1", "--data-set data.path.x: 'data.path' is a single value and has no key 'x'"),
    ):
        with pytest.raises(ConfigError) as caught:
            pretrain(tmp_path / "turned.npy", tmp_path / "other", "--data-set", asked)
        assert str(caught.value) == message


def test_every_parameter_that_pretraining_takes_reaches_it(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", VALUES)
    usual = {"hidden_size": 6, "batch_size": 8}
    changed: dict[str, Any] = {"cell": "gru", "hidden_size": 5, "layers": 2, "recall_weight": 1.0, "horizon": 3}
    changed |= {"recall_truncation": 1, "anchors": 2, "queries": 3, "batch_size": 9, "learning_rate": 0.1}
    changed |= {"clip": 0.001, "standardise": False, "chrono": 24}
    taken = {name for name in LongSequenceClassifier().get_params() if name not in (*_BY_OPTION, *_OF_FITTING)}
    # Gaps need data with gaps, and threads are told to nobody.
    assert taken == {*changed, "missing", "n_jobs"}

    def loss(**settings: Any) -> float:
        out = tmp_path / repr(settings).replace("/", "")
        return pretrain_files(str(tmp_path / "values.npy"), out, usual | settings, epochs=1, reading={})["recall"]

    plain = loss()
    assert loss(layers=1) == plain
    assert [name for name, value in changed.items() if loss(**{name: value}) == plain] == []


def test_chrono_is_told_of_a_memory_where_it_was_kept(tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", VALUES)
    pretrain(tmp_path / "values.npy", tmp_path / "out", "--set", "chrono=20")
    settings: dict[str, Any] = {"pretrained": tmp_path / "out", "hidden_size": 6, "max_epochs": 1}
    LongSequenceClassifier(**settings, chrono=20).fit(list(VALUES[:12]), Y)
    with pytest.raises(ConfigError, match="was trained with chrono=20, found chrono=None"):
        LongSequenceClassifier(**settings).fit(list(VALUES[:12]), Y)
    facts = json.loads((tmp_path / "out" / "pretrained.json").read_text())
    del facts["network"]["chrono"]
    (tmp_path / "out" / "pretrained.json").write_text(json.dumps(facts))
    LongSequenceClassifier(**settings, chrono=20).fit(list(VALUES[:12]), Y)


def test_a_seed_below_zero_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pretrain", "x.npy", "--out", str(tmp_path / "out"), "--seed", "-1"])
    assert done.exit_code == 2
    assert "--seed" in done.output


def test_data_without_a_training_part(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x_test=VALUES, y_test=np.arange(48) % 2)
    for command in (
        ["pretrain", str(tmp_path / "data.npz"), "--out", str(tmp_path / "out")],
        ["check", str(tmp_path / "data.npz")],
    ):
        done = CliRunner().invoke(app, command)
        said = f"{done.output} {done.exception}"
        assert "expected a training part, found test alone; name the part to train on train" in said
        assert done.exit_code != 0
        assert "ready for" not in said


def test_labels_that_change_within_a_recording_do_not_matter_to_pretraining(tmp_path: Path) -> None:
    rows = [f"{row},{time},{row + time},{'ab'[time % 2]}" for row in range(6) for time in range(20)]
    (tmp_path / "x.csv").write_text("\n".join(["id,time,v,label", *rows]) + "\n")
    assert "on 6 sequences" in pretrain(tmp_path / "x.csv", tmp_path / "out")
