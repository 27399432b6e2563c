"""A classifier as an ONNX graph of one chunk: `(x, state) -> (logits, state)`, batch and steps of any size.

The graph is built by hand from the weights: PyTorch's exporter by tracing freezes the number of steps, and every node
here is one that the ONNX specification defines.

Shapes: B batch, T steps, C channels, E embedding, H hidden, I inputs of a layer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.embedding import LinearEmbedding, LookupEmbedding, TokenEmbedding
from longreach.model.encoder import RecurrentEncoder

OPSET, IR_VERSION = 17, 8
"""Versions that runtimes of the last years read."""

_OPERATOR = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
# Where each of PyTorch's gates (LSTM i f g o, GRU r z n) stands in ONNX (LSTM i o f c, GRU z r h).
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
_STATES = {"lstm": ("h", "c"), "gru": ("h",), "rnn_tanh": ("h",), "rnn_relu": ("h",)}


@dataclass
class _Graph:
    """Nodes and constants, in the order of computing."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, name: str, array: np.ndarray | Tensor) -> str:
        from onnx import numpy_helper

        if isinstance(array, Tensor):
            array = array.detach().cpu().float().numpy()
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]


def state_names(classifier: SequenceClassifier) -> tuple[str, ...]:
    """What the parts of the state are called: h and c for LSTM, h for the others.

    Raises:
        ConfigError: a cell that ONNX has no operator for.
    """
    if not isinstance(classifier.encoder, RecurrentEncoder):
        raise ConfigError(
            f"export: expected cell {', '.join(_OPERATOR)}, found {classifier.arguments['cell']}, which ONNX has no "
            "operator for; use it from Python, by model.stream()"
        )
    return _STATES[classifier.encoder.cell_name]


def onnx_model(classifier: SequenceClassifier) -> Any:
    """The graph, checked against the specification, in float32.

    Its inputs are x, (B, T, C) as measured, of float32 or where the classifier `reads_double` of float64, or (B, T)
    int64 tokens, and the parts of the state, each (layers, B, H), zero at the start; its outputs logits (B, classes)
    and the state after the chunk, named h_out and c_out.
    Standardisation is inside. Its metadata hold the class names and what the model was made with.

    Args:
        classifier: of a cell that ONNX knows.

    Returns:
        An `onnx.ModelProto`.

    Raises:
        ConfigError: a cell that ONNX has no operator for.
    """
    import onnx
    from onnx import TensorProto, helper

    names = state_names(classifier)
    encoder = classifier.encoder
    assert isinstance(encoder, RecurrentEncoder)
    graph = _Graph()
    embedded, weights = _embedding(graph, classifier, encoder)
    sequence = graph.node("Transpose", [embedded], ["by_step"], perm=[1, 0, 2])
    top = _layers(graph, encoder, sequence, weights, names)
    _head(graph, classifier, top)
    is_token = encoder.vocabulary is not None
    state_shape: list[str | int | None] = [encoder.layers, "batch", encoder.hidden_size]
    x = (
        helper.make_tensor_value_info("x", TensorProto.INT64, ["batch", "steps"])
        if is_token
        else helper.make_tensor_value_info(
            "x",
            TensorProto.DOUBLE if classifier.reads_double else TensorProto.FLOAT,
            ["batch", "steps", encoder.channels],
        )
    )
    before = [helper.make_tensor_value_info(name, TensorProto.FLOAT, state_shape) for name in names]
    after = [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, state_shape) for name in names]
    classes = classifier.head.second.out_features
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "longreach", [x, *before], [logits, *after], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="longreach",
    )
    helper.set_model_props(
        model,
        {"class_names": json.dumps(list(classifier.class_names)), "arguments": json.dumps(classifier.arguments)},
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _embedding(
    graph: _Graph, classifier: SequenceClassifier, encoder: RecurrentEncoder
) -> tuple[str, tuple[Tensor, Tensor]]:
    """What the first layer reads, (B, T, I), and its input kernel and bias."""
    kernel, bias = encoder.weight_ih_l0, encoder.bias_ih_l0
    assert isinstance(kernel, Tensor)
    assert isinstance(bias, Tensor)
    embedding = encoder.embedding
    if isinstance(embedding, TokenEmbedding):
        table = graph.constant("embedding", embedding.weight)
        return graph.node("Gather", [table, "x"], ["embedded"]), (kernel, bias)
    if isinstance(embedding, LookupEmbedding):
        return _lookup(graph, embedding), (kernel, bias)
    values = "x"
    if classifier.input_mean is not None and classifier.input_std is not None:
        values = _standardised(graph, classifier)
    if isinstance(embedding, LinearEmbedding):
        kernel, bias = embedding.fold(kernel, bias)
    return values, (kernel, bias)


def _standardised(graph: _Graph, classifier: SequenceClassifier) -> str:
    from onnx import TensorProto

    kind = np.float64 if classifier.reads_double else np.float32
    mean = graph.constant("mean", np.asarray(classifier.input_mean, kind))
    std = graph.constant("std", np.asarray(classifier.input_std, kind))
    found = graph.node("Div", [graph.node("Sub", ["x", mean], ["centred"]), std], ["standardised"])
    return graph.node("Cast", [found], ["single"], to=TensorProto.FLOAT) if classifier.reads_double else found


def _lookup(graph: _Graph, embedding: LookupEmbedding) -> str:
    """The sum over channels of each level's vector; what comes in are the levels themselves."""
    from onnx import TensorProto

    levels = graph.node("Cast", [graph.node("Round", ["x"], ["rounded"])], ["levels"], to=TensorProto.INT64)
    vectors = []
    for channel, table in enumerate(embedding.weight):
        place = graph.constant(f"channel_{channel}", np.asarray(channel, np.int64))
        level = graph.node("Gather", [levels, place], [f"level_{channel}"], axis=2)
        vectors.append(graph.node("Gather", [graph.constant(f"table_{channel}", table), level], [f"vector_{channel}"]))
    return graph.node("Sum", vectors, ["embedded"])


def _layers(
    graph: _Graph, encoder: RecurrentEncoder, sequence: str, first: tuple[Tensor, Tensor], names: tuple[str, ...]
) -> str:
    """All recurrent layers; returns the top one's last h, (1, B, H)."""
    one = graph.constant("one", np.asarray([1], np.int64))
    befores = {name: [name] for name in names}
    if encoder.layers > 1:
        for name in names:
            befores[name] = [f"{name}_{layer}" for layer in range(encoder.layers)]
            graph.node(
                "Split", [name, graph.constant(f"{name}_each", np.ones(encoder.layers, np.int64))], befores[name]
            )
    afters: dict[str, list[str]] = {name: [] for name in names}
    for layer in range(encoder.layers):
        kernel, bias = first if layer == 0 else _input_weights(encoder, layer)
        gates, size = _GATES[encoder.cell_name], encoder.hidden_size
        recurrent = getattr(encoder, f"weight_hh_l{layer}")
        second = getattr(encoder, f"bias_hh_l{layer}") if encoder.cell.recurrent_bias else encoder.no_bias
        ordered = [_reordered(weight, gates, size) for weight in (kernel, recurrent, bias, second)]
        both = np.concatenate(ordered[2:])
        inputs = [
            sequence,
            graph.constant(f"W_{layer}", ordered[0][None]),
            graph.constant(f"R_{layer}", ordered[1][None]),
            graph.constant(f"B_{layer}", both[None]),
            "",  # All sequences of a call are equally long.
            *(befores[name][layer] for name in names),
        ]
        last = [f"{name}_after_{layer}" for name in names]
        graph.node(
            _OPERATOR[encoder.cell_name], inputs, [f"Y_{layer}", *last], hidden_size=size, **_attributes(encoder)
        )
        for name, after in zip(names, last, strict=True):
            afters[name].append(after)
        # (T, 1 direction, B, H): the direction goes.
        sequence = graph.node("Squeeze", [f"Y_{layer}", one], [f"outputs_{layer}"])
    for name in names:
        graph.node("Concat", afters[name], [f"{name}_out"], axis=0)
    return afters["h"][-1]


def _input_weights(encoder: RecurrentEncoder, layer: int) -> tuple[Tensor, Tensor]:
    return getattr(encoder, f"weight_ih_l{layer}"), getattr(encoder, f"bias_ih_l{layer}")


def _reordered(weight: Tensor, gates: tuple[int, ...], size: int) -> np.ndarray:
    blocks = weight.detach().cpu().float().numpy().reshape(len(gates), size, -1)[list(gates)]
    return blocks.reshape(weight.shape)


def _attributes(encoder: RecurrentEncoder) -> dict[str, Any]:
    match encoder.cell_name:
        case "gru":
            # The candidate's recurrent product is taken before the reset gate, as in PyTorch and cuDNN.
            return {"linear_before_reset": 1}
        case "rnn_relu":
            return {"activations": ["Relu"]}
    return {}


def _head(graph: _Graph, classifier: SequenceClassifier, top: str) -> None:
    zero = graph.constant("zero", np.asarray([0], np.int64))
    hidden = graph.node("Squeeze", [top, zero], ["last"])
    for name, layer, output in (
        ("first", classifier.head.first, "hidden"),
        ("second", classifier.head.second, "logits"),
    ):
        weight, bias = graph.constant(f"{name}_weight", layer.weight), graph.constant(f"{name}_bias", layer.bias)
        hidden = graph.node("Gemm", [hidden, weight, bias], [output], transB=1)
        if name == "first":
            hidden = graph.node("Relu", [hidden], ["rectified"])
