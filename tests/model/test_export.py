"""Exported models compute what the model computes, at every batch and every number of steps."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from longreach.errors import ConfigError, LongreachError
from longreach.model import export
from longreach.model.classifier import SequenceClassifier
from longreach.model.export import export_onnx, export_step
from longreach.model.one_step import OneStep
from longreach.model.regressor import SequenceRegressor

CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu", "mingru", "s4d")
PARTS = {"lstm": ("h", "c"), "s4d": ("h", "memory")}
INPUTS: dict[str, dict[str, Any]] = {
    "plain": {"channels": 3},
    "linear": {"channels": 2, "embedding_size": 5, "input_mean": [1.0, -2.0], "input_std": [2.0, 0.5]},
    "lookup": {
        "channels": 2, "embedding_size": 5, "embedding": "lookup", "input_mean": [30.0, 9.0], "input_std": [70.0, 8.0],
    },
    "tokens": {"vocabulary": 11, "embedding_size": 5},
    "offset": {"channels": 2, "input_mean": [1.7e9, 0.0], "input_std": [60.0, 1.0]},
}  # fmt: skip


def make(cell: str, inputs: str, layers: int = 1) -> SequenceClassifier:
    torch.manual_seed(5)
    return SequenceClassifier(
        classes=3, cell=cell, hidden_size=6, layers=layers, head_size=7, class_names=["x", "y", "z"], **INPUTS[inputs]
    ).eval()


def sample(inputs: str, batch: int, steps: int) -> np.ndarray:
    generator = np.random.default_rng(batch + steps)
    if inputs == "tokens":
        return generator.integers(0, 11, (batch, steps))
    channels = INPUTS[inputs]["channels"]
    if inputs == "lookup":
        return generator.integers(0, 256, (batch, steps, channels)).astype(np.float32)
    if inputs == "offset":
        # Seconds since 1970, of which float32 knows one in 128.
        return generator.normal(0.0, 1.0, (batch, steps, channels)) * [60.0, 1.0] + [1.7e9, 0.0]
    return generator.normal(1.0, 2.0, (batch, steps, channels)).astype(np.float32)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_onnx_reads_chunks_as_the_stream_does(cell: str, inputs: str, layers: int, tmp_path: Path) -> None:
    classifier = make(cell, inputs, layers)
    done = export_onnx(classifier, tmp_path / "model.onnx")
    assert 0.0 <= done.difference < 1e-5
    session = onnxruntime.InferenceSession(done.path)
    parts = PARTS.get(cell, ("h",))
    assert [given.name for given in session.get_inputs()] == ["x", *parts]
    assert [given.name for given in session.get_outputs()] == ["logits", *(f"{part}_out" for part in parts)]
    for batch, sizes in ((1, (1, 1, 40)), (4, (13, 1, 2)), (7, (300,))):
        stream = classifier.stream(batch)
        state = [part.numpy() for part in classifier.encoder.initial_state(batch)]
        for steps in sizes:
            chunk = sample(inputs, batch, steps)
            right = stream.push(chunk)
            logits, *state = session.run(None, {"x": chunk, **dict(zip(parts, state, strict=True))})
            torch.testing.assert_close(torch.from_numpy(logits).softmax(-1), right, rtol=0, atol=1e-5)
        for found, wanted in zip(state, stream.state, strict=True):
            torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_one_step_written_out_is_the_fused_cell(cell: str, inputs: str, layers: int) -> None:
    classifier = make(cell, inputs, layers).double()
    step, state = OneStep(classifier), classifier.encoder.initial_state(4)
    chunk = torch.from_numpy(sample(inputs, 4, 9))
    chunk = chunk if inputs == "tokens" else chunk.double()
    for here in range(9):
        logits, state = step(chunk[:, here], state)
    right = classifier.read(classifier.standardise(chunk))
    torch.testing.assert_close(logits, classifier.head(right[0][-1]), rtol=0, atol=1e-12)
    for found, wanted in zip(state, right, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "inputs"),
    [
        *(("lstm", "linear"), ("gru", "tokens"), ("rnn_relu", "lookup"), ("lstm", "offset")),
        *(("mingru", "tokens"), ("s4d", "linear"), ("s4d", "offset")),
    ],
)
def test_the_exported_step_takes_any_batch(cell: str, inputs: str, tmp_path: Path) -> None:
    classifier = make(cell, inputs, 2)
    done = export_step(classifier, tmp_path / "step.pt2")
    assert 0.0 <= done.difference < 1e-5
    step = torch.export.load(done.path).module()
    for batch in (1, 2, 9):
        stream, state = classifier.stream(batch), classifier.encoder.initial_state(batch)
        chunk = torch.from_numpy(sample(inputs, batch, 5))
        for here in range(5):
            logits, state = step(chunk[:, here], state)
            right = stream.push(chunk[:, here : here + 1])
        torch.testing.assert_close(logits.softmax(-1), right, rtol=0, atol=1e-5)


def test_an_exported_s4d_does_not_drift_over_many_steps(tmp_path: Path) -> None:
    """Held against double precision; what is rounded at a step must not add up over all that an oscillator lasts."""
    classifier = make("s4d", "plain")
    with torch.no_grad():
        # Time constants of 2,000 to 200,000 steps.
        classifier.encoder.stack[0].ssm.log_dt.sub_(2.0 * np.log(10.0))
    session = onnxruntime.InferenceSession(export_onnx(classifier, tmp_path / "model.onnx").path)
    step = torch.export.load(export_step(classifier, tmp_path / "step.pt2").path).module()
    x = sample("plain", 1, 20_000)
    zeros = classifier.encoder.initial_state(1)
    logits, *state = session.run(None, {"x": x, **{n: z.numpy() for n, z in zip(PARTS["s4d"], zeros, strict=True)}})
    one, after = None, zeros
    for chunk in torch.from_numpy(x[:, :3_000]).unbind(1):
        one, after = step(chunk, after)
    exact = classifier.double()
    for steps, found, held in ((20_000, torch.from_numpy(logits), torch.from_numpy(state[1])), (3_000, one, after[1])):
        with torch.no_grad():
            right = exact.read(exact.standardise(torch.from_numpy(x[:, :steps]).double()))
            wanted = exact.head(right[0][-1])
        size = right[1].abs().max()
        assert float((held - right[1]).abs().max() / size) < 2e-5
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5)


def test_onnx_carries_the_class_names_and_the_arguments(tmp_path: Path) -> None:
    classifier = make("gru", "linear")
    model = onnx.load(export_onnx(classifier, tmp_path / "model.onnx").path)
    properties = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert properties == {"class_names": ["x", "y", "z"], "arguments": classifier.arguments}
    assert [dimension.dim_param for dimension in model.graph.input[0].type.tensor_type.shape.dim][:2] == [
        "batch",
        "steps",
    ]


def test_a_model_in_double_precision_is_written_in_single_and_left_as_it_is(tmp_path: Path) -> None:
    classifier = make("lstm", "linear").double()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    assert export_onnx(classifier, tmp_path / "model.onnx").difference < 1e-5
    for name, value in classifier.state_dict().items():
        assert value.dtype == torch.float64
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("write", [export_onnx, export_step])
def test_a_path_may_be_text_and_what_names_no_classes_is_refused(write: Any, tmp_path: Path) -> None:
    assert write(make("lstm", "plain"), str(tmp_path / "file")).path == tmp_path / "file"
    assert (tmp_path / "file").stat().st_size > 1_000
    with pytest.raises(ConfigError) as error:
        write(SequenceRegressor(targets=1, channels=1, hidden_size=3), tmp_path / "other")
    assert str(error.value) == (
        "export: expected a SequenceClassifier, such as an estimator's model_, found SequenceRegressor; save others "
        "with save_pretrained"
    )


@pytest.mark.parametrize("write", [export_onnx, export_step])
def test_what_computes_something_else_is_not_written(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = make("lstm", "plain")
    read = SequenceClassifier.read
    wrong = lambda self, values, state=None: tuple(part + 0.5 for part in read(self, values, state))  # noqa: E731
    monkeypatch.setattr(SequenceClassifier, "read", wrong)
    with pytest.raises(LongreachError) as error:
        write(classifier, tmp_path / "file")
    what = "ONNX" if write is export_onnx else "torch.export"
    assert str(error.value) == (
        f"export: {what} differs from the model by 1 at batch 1, 1 steps, expected at most 0.0001; nothing was "
        "written. Check the model's weights, and the runtime's version"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [export_onnx, export_step])
def test_a_difference_counts_by_the_size_of_the_numbers_and_none_that_is_no_number(write: Any, tmp_path: Path) -> None:
    classifier = make("rnn_relu", "plain")
    with torch.no_grad():
        # It adds up what it reads: the state comes to thousands.
        classifier.encoder.weight_hh_l0.copy_(1.01 * torch.eye(6))
        classifier.encoder.bias_ih_l0.fill_(3.0)
    assert classifier.read(torch.zeros(1, 400, classifier.encoder.channels))[0].max() > 10_000
    assert write(classifier, tmp_path / "large").difference < 1e-5
    with torch.no_grad():
        classifier.head.second.weight[0, 0] = float("nan")
    with pytest.raises(LongreachError, match="differs from the model by nan"):
        write(classifier, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


def test_a_loop_of_exported_steps_keeps_no_graph(tmp_path: Path) -> None:
    classifier = make("lstm", "plain")
    export_step(classifier, tmp_path / "step.pt2")
    step = torch.export.load(tmp_path / "step.pt2").module()
    x = torch.zeros(2, classifier.encoder.channels)
    logits, state = step(x, classifier.encoder.initial_state(2))
    assert not logits.requires_grad
    assert not any(part.requires_grad for part in state)
    assert all(parameter.requires_grad for parameter in classifier.parameters()), "the model's own are as they were"


@pytest.mark.parametrize("write", [export_onnx, export_step])
def test_the_unitary_cell_is_refused(write: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        write(make("urnn", "plain"), tmp_path / "file")
    assert str(error.value) == (
        "export: expected cell lstm, gru, rnn_tanh, rnn_relu, mingru, s4d, found urnn, which ONNX has no operators "
        "for; use it from Python, by model.stream()"
    )


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError) as error:
        export_onnx(make("lstm", "plain"), tmp_path / "model.onnx")
    assert str(error.value) == "export: needs the package onnxruntime; pip install 'longreach[export]'"


def test_the_sizes_compared_are_several(tmp_path: Path) -> None:
    assert len({batch for batch, _ in export.SIZES}) >= 4
    assert len({steps for _, steps in export.SIZES}) >= 4
