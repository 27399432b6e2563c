"""Table 3: networks of attention beside the best recurrent one, whose runs are those of Table 2."""

from __future__ import annotations

from longreach.config import TDMCAConfig, TransformerConfig
from longreach.recipes import method
from longreach.recipes.naming import Recipe, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.table2 import ON_CIFAR10, ON_CIFAR16, ON_MNIST, ON_MNIST14, ON_PMNIST, ON_PMNIST14
from longreach.recipes.task import CIFAR10, CIFAR16, MNIST, MNIST14, PMNIST, PMNIST14, Task

WARMUP = 4_000
"""Updates over which the learning rate rises; Tensor2Tensor's for its base configuration."""

SMALL_WARMUP = 200

TRANSFORMER = TransformerConfig(initialisation="glorot")
"""Paper: section 4.1, Tensor2Tensor's transformer_tiny."""

T_DMCA = TDMCAConfig(initialisation="glorot")
"""Paper: section 4.3.1 and its footnote: 5 alternating layers, all sizes 128."""

SMALL_TRANSFORMER = TransformerConfig(hidden_size=64, filter_size=256)
SMALL_T_DMCA = TDMCAConfig(hidden_size=64, filter_size=64, block_length=64)


def transformer(task: Task, small: bool) -> Recipe:
    """The Transformer on a task."""
    model, warmup = (SMALL_TRANSFORMER, SMALL_WARMUP) if small else (TRANSFORMER, WARMUP)
    return named(
        f"{task.name}-transformer",
        f"Transformer, {model.layers} layers of {model.hidden_size}, mean over all steps",
        lambda: method.network(task, model, warmup),
    )


def t_dmca(task: Task, small: bool) -> Recipe:
    """T-DMCA on a task."""
    model, warmup = (SMALL_T_DMCA, SMALL_WARMUP) if small else (T_DMCA, WARMUP)
    return named(
        f"{task.name}-t-dmca",
        f"T-DMCA, {model.layers} layers of {model.hidden_size}, local and compressed by turns",
        lambda: method.network(task, model, warmup),
    )


TABLE3 = PaperTable(
    "table3",
    "Networks of attention beside r-LSTM",
    "test accuracy %",
    (
        *(
            Row(dataset, "r-LSTM", "full BPTT", paper.r_full, small.r_full)
            for dataset, paper, small in (
                ("MNIST", ON_MNIST, ON_MNIST14),
                ("pMNIST", ON_PMNIST, ON_PMNIST14),
                ("CIFAR10", ON_CIFAR10, ON_CIFAR16),
            )
        ),
        *(
            Row(dataset, model, "", make(paper, small=False), make(at_small, small=True))
            for model, make in (("Transformer", transformer), ("T-DMCA", t_dmca))
            for dataset, paper, at_small in (
                ("MNIST", MNIST, MNIST14),
                ("pMNIST", PMNIST, PMNIST14),
                ("CIFAR10", CIFAR10, CIFAR16),
            )
        ),
    ),
    "MNIST-14, 14 x 14 pixels; CIFAR-10 pooled to 16 x 16",
)
