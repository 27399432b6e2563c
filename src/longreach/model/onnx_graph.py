"""A classifier as an ONNX graph of one chunk: `(x, state) -> (logits, state)`, batch and steps of any size.

The graph is built by hand from the weights: PyTorch's exporter by tracing freezes the number of steps, and every node
here is one that the ONNX specification defines.

Shapes: B batch, T steps, C channels, E embedding, H hidden, I inputs of a layer.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from torch import Tensor

from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.model.embedding import LinearEmbedding, LookupEmbedding, TokenEmbedding
from longreach.model.encoder import RecurrentEncoder
from longreach.model.mingru import MinGRU
from longreach.model.network import AnyEncoder
from longreach.model.onnx_nodes import Graph
from longreach.model.onnx_scans import States, linear, mingru_layers, s4d_layers
from longreach.model.s4d import S4D

OPSET, IR_VERSION = 17, 8
"""Versions that runtimes of the last years read."""

_OPERATOR = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
# Where each of PyTorch's gates (LSTM i f g o, GRU r z n) stands in ONNX (LSTM i o f c, GRU z r h).
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
_STATES = {
    "lstm": ("h", "c"),
    "gru": ("h",),
    "rnn_tanh": ("h",),
    "rnn_relu": ("h",),
    "mingru": ("h",),
    "s4d": ("h", "memory"),
}


def state_names(classifier: SequenceClassifier) -> tuple[str, ...]:
    """What the parts of the state are called: h, and c for LSTM, and memory for S4D.

    Raises:
        ConfigError: a cell that cannot be written.
    """
    cell = classifier.arguments["cell"]
    if cell not in _STATES:
        raise ConfigError(
            f"export: expected cell {', '.join(_STATES)}, found {cell}, which ONNX has no operators for; use it from "
            "Python, by model.stream()"
        )
    return _STATES[cell]


def onnx_model(classifier: SequenceClassifier) -> Any:
    """The graph, checked against the specification, in float32.

    Its inputs are x, (B, T, C) as measured, of float32 or where the classifier `reads_double` of float64, or (B, T)
    int64 tokens, and the parts of the state, each (layers, B, H), of S4D's memory (layers, B, H * memory_size), zero at
    the start; its outputs logits (B, classes) and the state after the chunk, named h_out and c_out or memory_out.
    Standardisation is inside. Its metadata hold the class names and what the model was made with.

    Args:
        classifier: of a cell of `state_names`.

    Returns:
        An `onnx.ModelProto`.

    Raises:
        ConfigError: a cell that cannot be written.
    """
    import onnx
    from onnx import TensorProto, helper

    names = state_names(classifier)
    encoder = classifier.encoder
    graph = Graph()
    before = _split(graph, encoder.layers, names)
    after = _encoded(graph, classifier, before)
    for name in names:
        graph.node("Concat", after[name], [f"{name}_out"], axis=0)
    _head(graph, classifier, after["h"][-1])
    is_token = encoder.vocabulary is not None
    sizes = [part.shape[-1] for part in encoder.initial_state(1)]
    x = (
        helper.make_tensor_value_info("x", TensorProto.INT64, ["batch", "steps"])
        if is_token
        else helper.make_tensor_value_info(
            "x",
            TensorProto.DOUBLE if classifier.reads_double else TensorProto.FLOAT,
            ["batch", "steps", encoder.channels],
        )
    )
    begins, ends = (
        [
            helper.make_tensor_value_info(f"{name}{more}", TensorProto.FLOAT, [encoder.layers, "batch", size])
            for name, size in zip(names, sizes, strict=True)
        ]
        for more in ("", "_out")
    )
    classes = classifier.head.second.out_features
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "longreach", [x, *begins], [logits, *ends], graph.constants),
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


def _split(graph: Graph, layers: int, names: tuple[str, ...]) -> States:
    """The state before the chunk, layer by layer."""
    if layers == 1:
        return {name: [name] for name in names}
    before = {name: [f"{name}_{layer}" for layer in range(layers)] for name in names}
    for name in names:
        graph.node("Split", [name, graph.constant(f"{name}_each", np.ones(layers, np.int64))], before[name])
    return before


def _encoded(graph: Graph, classifier: SequenceClassifier, before: States) -> States:
    """The state after the chunk, layer by layer."""
    encoder = classifier.encoder
    values = _embedding(graph, classifier, encoder)
    if isinstance(encoder.embedding, LinearEmbedding) and not isinstance(encoder, RecurrentEncoder):
        values = linear(graph, "embedded", encoder.embedding, values)
    sequence = graph.node("Transpose", [values], ["by_step"], perm=[1, 0, 2])
    if isinstance(encoder, MinGRU):
        return mingru_layers(graph, encoder, sequence, before)
    if isinstance(encoder, S4D):
        return s4d_layers(graph, encoder, sequence, before)
    assert isinstance(encoder, RecurrentEncoder)
    return _layers(graph, encoder, sequence, before)


def _embedding(graph: Graph, classifier: SequenceClassifier, encoder: AnyEncoder) -> str:
    """Embedded tokens or levels, or standardised values, (B, T, ...)."""
    embedding = encoder.embedding
    if isinstance(embedding, TokenEmbedding):
        return graph.node("Gather", [graph.constant("embedding", embedding.weight), "x"], ["embedded"])
    if isinstance(embedding, LookupEmbedding):
        return _lookup(graph, embedding)
    if classifier.input_mean is not None and classifier.input_std is not None:
        return _standardised(graph, classifier)
    return "x"


def _standardised(graph: Graph, classifier: SequenceClassifier) -> str:
    from onnx import TensorProto

    kind = np.float64 if classifier.reads_double else np.float32
    mean = graph.constant("mean", np.asarray(classifier.input_mean, kind))
    std = graph.constant("std", np.asarray(classifier.input_std, kind))
    found = graph.node("Div", [graph.node("Sub", ["x", mean], ["centred"]), std], ["standardised"])
    return graph.node("Cast", [found], ["single"], to=TensorProto.FLOAT) if classifier.reads_double else found


def _lookup(graph: Graph, embedding: LookupEmbedding) -> str:
    """The sum over channels of each level's vector; what comes in are the levels themselves."""
    from onnx import TensorProto

    levels = graph.node("Cast", [graph.node("Round", ["x"], ["rounded"])], ["levels"], to=TensorProto.INT64)
    vectors = []
    for channel, table in enumerate(embedding.weight):
        place = graph.constant(f"channel_{channel}", np.asarray(channel, np.int64))
        level = graph.node("Gather", [levels, place], [f"level_{channel}"], axis=2)
        vectors.append(graph.node("Gather", [graph.constant(f"table_{channel}", table), level], [f"vector_{channel}"]))
    return graph.node("Sum", vectors, ["embedded"])


def _layers(graph: Graph, encoder: RecurrentEncoder, sequence: str, before: States) -> States:
    """All recurrent layers by the operators that ONNX has for them; a linear embedding is folded into the first."""
    one = graph.constant("one", np.asarray([1], np.int64))
    after: States = {name: [] for name in before}
    for layer in range(encoder.layers):
        kernel, bias = _input_weights(encoder, layer)
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
            *(states[layer] for states in before.values()),
        ]
        last = [f"{name}_after_{layer}" for name in before]
        graph.node(
            _OPERATOR[encoder.cell_name], inputs, [f"Y_{layer}", *last], hidden_size=size, **_attributes(encoder)
        )
        for name, state in zip(before, last, strict=True):
            after[name].append(state)
        # (T, 1 direction, B, H): the direction goes.
        sequence = graph.node("Squeeze", [f"Y_{layer}", one], [f"outputs_{layer}"])
    return after


def _input_weights(encoder: RecurrentEncoder, layer: int) -> tuple[Tensor, Tensor]:
    kernel, bias = getattr(encoder, f"weight_ih_l{layer}"), getattr(encoder, f"bias_ih_l{layer}")
    if layer == 0 and isinstance(encoder.embedding, LinearEmbedding):
        return encoder.embedding.fold(kernel, bias)
    return kernel, bias


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


def _head(graph: Graph, classifier: SequenceClassifier, top: str) -> None:
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
