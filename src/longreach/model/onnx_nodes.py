"""Nodes and constants of an ONNX graph, in the order of computing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor


@dataclass
class Graph:
    """What a graph is made of so far."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, name: str, array: np.ndarray | Tensor) -> str:
        """A constant of this name; tensors become single precision."""
        from onnx import numpy_helper

        if isinstance(array, Tensor):
            array = array.detach().cpu().float().numpy()
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        """A node; returns the name of its first output."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]
