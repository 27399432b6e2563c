"""The arithmetic of the networks without recurrent state, counted from their sizes.

Shapes: T steps, H hidden, K block length, F features.
"""

from __future__ import annotations

from longreach.config import (
    BaselineConfig,
    CharCNNConfig,
    CNNRNNConfig,
    TDMCAConfig,
    TransformerConfig,
    VDCNNConfig,
)

VDCNN_BLOCKS = {9: (1, 1, 1, 1), 17: (2, 2, 2, 2), 29: (5, 5, 2, 2), 49: (8, 8, 5, 3)}
"""As `baselines.vdcnn.blocks_of` has them, which this list of recipes need not load PyTorch for."""

ALPHABET = 69
"""Signs that the char-CNN tells apart."""

OPERATIONS_OF_DROPPING = 800
"""As long as an update takes to draw and to apply the dropout of one link of the attention: 20 ns, as measured at
T = 196 and at 256 with four heads."""


def forward_operations(model: BaselineConfig, steps: float) -> float:
    """Of one sequence, without gradient.

    Args:
        model: the network.
        steps: T.
    """
    if isinstance(model, TransformerConfig):
        size = model.hidden_size
        block = 2 * steps * (4 * size**2 + 2 * size * model.filter_size) + 4 * steps**2 * size
        return model.layers * block
    if isinstance(model, TDMCAConfig):
        return _t_dmca(model, steps)
    if isinstance(model, CharCNNConfig):
        return _char_cnn(model)
    if isinstance(model, CNNRNNConfig):
        return _cnn_rnn(model, steps)
    return _vdcnn(model)


def dropping_operations(model: BaselineConfig, steps: float) -> float:
    """What the attention's dropout adds to one sequence of an update."""
    if not isinstance(model, TransformerConfig | TDMCAConfig) or model.dropout == 0.0:
        return 0.0
    if isinstance(model, TransformerConfig):
        seen = model.layers * steps
    else:
        compressed = model.layers // 2
        seen = (model.layers - compressed) * min(model.block_length, steps) + compressed * steps / model.factor
    return OPERATIONS_OF_DROPPING * model.heads * steps * seen


def _t_dmca(model: TDMCAConfig, steps: float) -> float:
    size, memory = model.hidden_size, steps / model.factor
    first, second = model.kernels or (0, 0)
    filters = 2 * steps * (2 * size * model.filter_size + first * size + second * model.filter_size)
    local = 8 * steps * size**2 + 4 * steps * min(model.block_length, steps) * size + filters
    projections = 4 * (steps + memory) * size**2 + 2 * memory * model.factor * size**2
    compressed = projections + 4 * steps * memory * size + filters
    # A local one first.
    return (model.layers - model.layers // 2) * local + model.layers // 2 * compressed


def _convolution(inputs: int, outputs: int, kernel: int, steps: float) -> float:
    return 2 * kernel * inputs * outputs * steps


def _char_cnn(model: CharCNNConfig) -> float:
    steps, inputs, total = model.length, ALPHABET, 0.0
    for kernel, is_pooled in ((7, True), (7, True), (3, False), (3, False), (3, False), (3, True)):
        steps -= kernel - 1
        total += _convolution(inputs, model.features, kernel, steps)
        inputs, steps = model.features, steps // (3 if is_pooled else 1)
    return total + 2 * model.dense_size * (steps * model.features + model.dense_size)


def _cnn_rnn(model: CNNRNNConfig, steps: float) -> float:
    inputs, total = model.embedding_size, 0.0
    for kernel in model.kernels:
        total += _convolution(inputs, model.features, kernel, steps)
        inputs, steps = model.features, steps / 2
    return total + 2 * steps * 8 * model.hidden_size * (inputs + model.hidden_size)


def _vdcnn(model: VDCNNConfig) -> float:
    inputs, steps = 64, float(model.length)
    total = _convolution(model.embedding_size, inputs, 3, steps)
    for features, blocks in zip((64, 128, 256, 512), VDCNN_BLOCKS[model.depth], strict=True):
        total += _convolution(inputs, features, 3, steps) + (2 * blocks - 1) * _convolution(
            features, features, 3, steps
        )
        inputs, steps = features, steps / 2
    return total + 2 * model.dense_size * (model.keep * inputs + model.dense_size)
