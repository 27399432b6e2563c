"""Table 3: networks of attention beside the best recurrent one, whose runs are those of Table 2."""

from __future__ import annotations

from longreach.config import BaselineConfig, RunConfig, TDMCAConfig, TransformerConfig
from longreach.recipes import method
from longreach.recipes.naming import Recipe, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.table2 import ON_CIFAR10, ON_CIFAR16, ON_MNIST, ON_MNIST14, ON_PMNIST, ON_PMNIST14
from longreach.recipes.task import CIFAR10, CIFAR16, MNIST, MNIST14, PMNIST, PMNIST14, Task

WARMUP = 8_000
"""Updates over which the learning rate rises; Tensor2Tensor's for `transformer_base`, on which the tiny one rests."""

SMALL_WARMUP = 200

TRANSFORMER = TransformerConfig(initialisation="glorot")
"""Paper: section 4.1, Tensor2Tensor's transformer_tiny."""

T_DMCA = TDMCAConfig(initialisation="glorot")
"""Paper: section 4.3.1 and its footnote: 5 alternating layers, all sizes 128."""

SMALL_TRANSFORMER = TransformerConfig(hidden_size=64, filter_size=256, dropout=0.0)
"""Choice: without dropout, which takes much of an update on a CPU, as its kernels of attention know none."""

SMALL_T_DMCA = TDMCAConfig(hidden_size=64, filter_size=64, block_length=64, dropout=0.0)

SMALL_UPDATES = 2_500
"""Instead of the small scale's 4,000: in ten minutes of one core an update of attention has no more."""


def transformer(task: Task, small: bool) -> Recipe:
    """The Transformer on a task."""
    model = SMALL_TRANSFORMER if small else TRANSFORMER
    about = f"Transformer, {model.layers} layers of {model.hidden_size}, mean over all steps"
    return named(f"{task.name}-transformer", about, lambda: _run(task, model, small))


def t_dmca(task: Task, small: bool) -> Recipe:
    """T-DMCA on a task."""
    model = SMALL_T_DMCA if small else T_DMCA
    about = f"T-DMCA, {model.layers} layers of {model.hidden_size}, local and compressed by turns"
    return named(f"{task.name}-t-dmca", about, lambda: _run(task, model, small))


def _run(task: Task, model: BaselineConfig, small: bool) -> RunConfig:
    if not small:
        return method.network(task, model, WARMUP)
    # Halved after the same share of the updates as in the paper; evaluated at half of them and at the end.
    run = method.network(task, model, SMALL_WARMUP, updates=SMALL_UPDATES, halve_every=0.3 * SMALL_UPDATES)
    return run.model_copy(update={"evaluate_every": SMALL_UPDATES // 2})


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
    "MNIST-14, 14 x 14 pixels; CIFAR-10 pooled to 16 x 16; attention without dropout, 2,500 updates to r-LSTM's 4,000",
    "T-DMCA has more weights than the 0.5 M that the paper says of its recurrent networks, and of the Transformer that "
    "it has about as many. Of T-DMCA it says no number, but five layers with all sizes of 128, and these do not come "
    "to less.",
)
