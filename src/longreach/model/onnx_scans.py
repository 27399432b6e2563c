"""Layers of minGRU and S4D as nodes of an ONNX graph: what needs no state for all steps at once, and a scan.

Shapes: B batch, T steps, I inputs of a layer, H hidden, M oscillators.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import nn

from longreach.model.mingru import MinGRU, MinGRULayer
from longreach.model.onnx_nodes import Graph
from longreach.model.s4d import S4D, S4DLayer

States = dict[str, list[str]]
"""By the state's part the name of its (1, B, ...) for each layer."""


def mingru_layers(graph: Graph, encoder: MinGRU, sequence: str, before: States) -> States:
    """The states after the last step.

    Args:
        graph: is added to.
        encoder: whose weights are written.
        sequence: name of the embedded steps, (T, B, I).
        before: the states before the first step.
    """
    after = []
    for place, (layer, begin) in enumerate(zip(encoder.stack, before["h"], strict=True)):
        assert isinstance(layer, MinGRULayer)
        at = f"layer_{place}"
        gate = linear(graph, f"{at}_gate", layer.gate, sequence)
        candidate = linear(graph, f"{at}_candidate", layer.candidate, sequence)
        half, zero = (
            graph.constant(f"{at}_{name}", np.asarray(number, np.float32))
            for name, number in (("half", 0.5), ("zero", 0))
        )
        positive = graph.node("GreaterOrEqual", [candidate, zero], [f"{at}_positive"])
        shifted = graph.node("Add", [candidate, half], [f"{at}_shifted"])
        squashed = graph.node("Sigmoid", [candidate], [f"{at}_squashed"])
        new = graph.node("Where", [positive, shifted, squashed], [f"{at}_new"])
        added = graph.node("Mul", [graph.node("Sigmoid", [gate], [f"{at}_enter"]), new], [f"{at}_added"])
        keep = graph.node("Sigmoid", [graph.node("Neg", [gate], [f"{at}_shut"])], [f"{at}_keep"])
        body = Graph()
        kept = body.node("Mul", [f"{at}_decay_t", f"{at}_h_t"], [f"{at}_kept_t"])
        body.node("Add", [kept, f"{at}_added_t"], [f"{at}_h_next"])
        body.node("Identity", [f"{at}_h_next"], [f"{at}_y_t"])
        rows = ["batch", encoder.hidden_size]
        last, sequence = _scan(
            graph,
            at,
            body,
            carried={f"{at}_h_t": (_row(graph, begin, f"{at}_begin"), f"{at}_h_next", rows)},
            read={f"{at}_decay_t": (keep, rows), f"{at}_added_t": (added, rows)},
            given=(f"{at}_y_t", rows),
        )
        after.append(_layer(graph, last[0], f"{at}_after"))
    return {"h": after}


def s4d_layers(graph: Graph, encoder: S4D, sequence: str, before: States) -> States:
    """The states after the last step; of h, which S4D does not read again, what each layer gave for it.

    Args:
        graph, sequence, before: as for `mingru_layers`.
        encoder: whose weights are written.
    """
    if encoder.widen is not None:
        sequence = linear(graph, "widened", encoder.widen, sequence)
    seen, after = [], []
    for place, (layer, begin) in enumerate(zip(encoder.stack, before["memory"], strict=True)):
        assert isinstance(layer, S4DLayer)
        at = f"layer_{place}"
        found, last = _oscillate(graph, at, layer, normalised(graph, f"{at}_driven", layer.norm, sequence), begin)
        opened = linear(graph, f"{at}_mixed", layer.mix, _gelu(graph, at, found))
        graph.node("Split", [opened], [f"{at}_value", f"{at}_valve"], axis=-1)
        valve = graph.node("Sigmoid", [f"{at}_valve"], [f"{at}_share"])
        gated = graph.node("Mul", [f"{at}_value", valve], [f"{at}_gated"])
        sequence = graph.node("Add", [sequence, gated], [f"{at}_outputs"])
        if place == encoder.layers - 1:
            sequence = normalised(graph, "normalised", encoder.norm, sequence)
        end = graph.constant(f"{at}_end", np.asarray([-1], np.int64))
        seen.append(graph.node("Gather", [sequence, end], [f"{at}_last"], axis=0))
        after.append(last)
    return {"h": seen, "memory": after}


def linear(graph: Graph, name: str, layer: Any, values: str) -> str:
    """A linear map of (..., I), of anything with `weight` and `bias`."""
    product = graph.node("MatMul", [values, graph.constant(f"{name}_weight", layer.weight.T)], [f"{name}_product"])
    return graph.node("Add", [product, graph.constant(f"{name}_bias", layer.bias)], [name])


def normalised(graph: Graph, name: str, layer: nn.LayerNorm, values: str) -> str:
    """Layer normalisation of (..., H)."""
    weights = [graph.constant(f"{name}_weight", layer.weight), graph.constant(f"{name}_bias", layer.bias)]
    return graph.node("LayerNormalization", [values, *weights], [name], axis=-1, epsilon=layer.eps)


def _gelu(graph: Graph, at: str, values: str) -> str:
    """GELU: x (1 + erf(x / sqrt 2)) / 2."""
    root, half, one = (
        graph.constant(f"{at}_{name}", np.asarray(number, np.float32))
        for name, number in (("root", math.sqrt(2.0)), ("gelu_half", 0.5), ("gelu_one", 1.0))
    )
    error = graph.node("Erf", [graph.node("Div", [values, root], [f"{at}_scaled"])], [f"{at}_erf"])
    share = graph.node("Mul", [graph.node("Add", [error, one], [f"{at}_erf_one"]), half], [f"{at}_below"])
    return graph.node("Mul", [values, share], [f"{at}_gelu"])


def _oscillate(graph: Graph, at: str, layer: S4DLayer, driven: str, begin: str) -> tuple[str, str]:
    """What all oscillators give, (T, B, H), and what they hold after the last step, (1, B, H * 2 M): real and imaginary
    parts by turns, which are apart on the way.
    """
    change, hold = layer.ssm.one_step()
    size, count = change.shape
    constants = {
        f"{at}_{name}": graph.constant(f"{at}_{name}", value)
        for name, value in (
            *(("change_re", change.real), ("change_im", change.imag), ("hold_re", hold.real), ("hold_im", hold.imag)),
            *(("seen_re", 2.0 * layer.ssm.output[..., 0]), ("seen_im", 2.0 * layer.ssm.output[..., 1])),
        )
    }
    apart = graph.constant(f"{at}_apart", np.asarray([0, size, count, 2], np.int64))
    last = graph.constant(f"{at}_axis", np.asarray([-1], np.int64))
    parts = graph.node("Reshape", [_row(graph, begin, f"{at}_begin"), apart], [f"{at}_parts"])
    graph.node("Split", [parts], [f"{at}_re_pair", f"{at}_im_pair"], axis=-1)
    begins = [graph.node("Squeeze", [f"{at}_{name}_pair", last], [f"{at}_{name}"]) for name in ("re", "im")]
    body = Graph()
    inside = lambda operator, inputs, name, **more: body.node(  # noqa: E731
        operator, [constants.get(f"{at}_{one}", f"{at}_{one}") for one in inputs], [f"{at}_{name}"], **more
    )
    inside("Unsqueeze", ["u_t", "axis"], "each")
    for part, sign, other in (("re", "Sub", "im"), ("im", "Add", "re")):
        inside("Mul", ["change_re", f"{part}_t"], f"{part}_own")
        inside("Mul", ["change_im", f"{other}_t"], f"{part}_turned")
        inside(sign, [f"{part}_own", f"{part}_turned"], f"{part}_change")
        inside("Add", [f"{part}_t", f"{part}_change"], f"{part}_kept")
        inside("Mul", [f"hold_{part}", "each"], f"{part}_written")
        inside("Add", [f"{part}_kept", f"{part}_written"], f"{part}_next")
    inside("Mul", ["seen_re", "re_next"], "seen_re_next")
    inside("Mul", ["seen_im", "im_next"], "seen_im_next")
    inside("Sub", ["seen_re_next", "seen_im_next"], "seen_next")
    inside("ReduceSum", ["seen_next", "axis"], "y_t", keepdims=0)
    held = ["batch", size, count]
    ends, outputs = _scan(
        graph,
        at,
        body,
        carried={
            f"{at}_{part}_t": (name, f"{at}_{part}_next", held) for part, name in zip(("re", "im"), begins, strict=True)
        },
        read={f"{at}_u_t": (driven, ["batch", size])},
        given=(f"{at}_y_t", ["batch", size]),
    )
    pairs = [graph.node("Unsqueeze", [end, last], [f"{end}_pair"]) for end in ends]
    flat = graph.constant(f"{at}_flat", np.asarray([1, -1, size * count * 2], np.int64))
    after = graph.node("Reshape", [graph.node("Concat", pairs, [f"{at}_both"], axis=-1), flat], [f"{at}_after"])
    through = graph.node("Mul", [driven, graph.constant(f"{at}_through", layer.ssm.through)], [f"{at}_direct"])
    return graph.node("Add", [outputs, through], [f"{at}_found"]), after


def _scan(
    graph: Graph,
    at: str,
    body: Graph,
    *,
    carried: dict[str, tuple[str, str, list[Any]]],
    read: dict[str, tuple[str, list[Any]]],
    given: tuple[str, list[Any]],
) -> tuple[list[str], str]:
    """A loop over the first dimension.

    Args:
        graph: is added to.
        at: begins the names of its outputs.
        body: one step.
        carried: by its name in a step what is carried: its name before the loop and after a step, and its shape.
        read: by its name in a step what is read: its name outside, and its shape in a step.
        given: name and shape of what a step gives.

    Returns:
        The names of what is carried, after the last step, and of what all steps gave.
    """
    from onnx import TensorProto, helper

    def value(name: str, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    inputs = [value(name, shape) for name, (_, _, shape) in carried.items()]
    inputs += [value(name, shape) for name, (_, shape) in read.items()]
    outputs = [value(after, shape) for _, after, shape in carried.values()] + [value(*given)]
    step = helper.make_graph(body.nodes, f"{at}_step", inputs, outputs, body.constants)
    lasts, steps = [f"{name}_end" for name in carried], f"{at}_scanned"
    begins = [begin for begin, _, _ in carried.values()]
    sequences = [name for name, _ in read.values()]
    graph.node("Scan", [*begins, *sequences], [*lasts, steps], body=step, num_scan_inputs=len(read))
    return lasts, steps


def _row(graph: Graph, state: str, name: str) -> str:
    """(1, B, ...) without its layer."""
    return graph.node("Squeeze", [state, graph.constant(f"{name}_axis", np.asarray([0], np.int64))], [name])


def _layer(graph: Graph, state: str, name: str) -> str:
    """(B, ...) as that of one layer."""
    return graph.node("Unsqueeze", [state, graph.constant(f"{name}_axis", np.asarray([0], np.int64))], [name])
