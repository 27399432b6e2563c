"""Table 2: pixel by pixel, with full and with truncated backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass

from longreach.recipes import method
from longreach.recipes.naming import Recipe, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.task import CIFAR10, CIFAR16, MNIST, MNIST14, PMNIST, PMNIST14, Task


@dataclass(frozen=True)
class Methods:
    """The methods of Table 2 on one task; Figures 4 to 6 go on from them."""

    lstm_full: Recipe
    lstm_truncated: Recipe
    r: Recipe
    p: Recipe
    r_full: Recipe
    p_full: Recipe
    irnn: Recipe
    urnn: Recipe

    def rows(self) -> tuple[Recipe, ...]:
        """In the order printed."""
        return (self.irnn, self.urnn, self.lstm_full, self.lstm_truncated, self.r, self.p, self.r_full, self.p_full)


def methods(task: Task, urnn_size: int) -> Methods:
    """Every method of Table 2.

    Args:
        task: what on.
        urnn_size: complex units of the uRNN.
    """
    name, k = task.name, task.truncation

    def recipe(suffix: str, about: str, build: object) -> Recipe:
        return named(f"{name}-{suffix}", about, build)  # type: ignore[arg-type]

    segment = f"one segment of {task.length}"
    return Methods(
        lstm_full=recipe("lstm-full", "LSTM, full backpropagation through time", lambda: method.lstm(task)),
        lstm_truncated=recipe("lstm-truncated", f"LSTM truncated to {k} steps", lambda: method.lstm(task, k)),
        r=recipe("r", f"r-LSTM, {segment}, truncated to {k} steps", lambda: method.r(task, k)),
        p=recipe("p", f"p-LSTM, {segment}, truncated to {k} steps", lambda: method.p(task, k)),
        r_full=recipe("r-full", f"r-LSTM, {segment}, full backpropagation", lambda: method.r(task, None)),
        p_full=recipe("p-full", f"p-LSTM, {segment}, full backpropagation", lambda: method.p(task, None)),
        irnn=recipe("irnn", "iRNN of Le et al. 2015", lambda: method.irnn(task)),
        urnn=recipe("urnn", "uRNN of Arjovsky et al. 2016", lambda: method.urnn(task, urnn_size)),
    )


ON_MNIST, ON_PMNIST, ON_CIFAR10 = (methods(task, 512) for task in (MNIST, PMNIST, CIFAR10))
ON_MNIST14, ON_PMNIST14, ON_CIFAR16 = (methods(task, 64) for task in (MNIST14, PMNIST14, CIFAR16))

_PRINTED = (
    ("iRNN", ""),
    ("uRNN", ""),
    ("LSTM", "full BPTT"),
    ("LSTM", "truncate 300"),
    ("r-LSTM", "truncate 300"),
    ("p-LSTM", "truncate 300"),
    ("r-LSTM", "full BPTT"),
    ("p-LSTM", "full BPTT"),
)


def _rows(dataset: str, paper: Methods, small: Methods) -> tuple[Row, ...]:
    rows = [
        Row(dataset, model, setting, at_paper, at_small)
        for (model, setting), at_paper, at_small in zip(_PRINTED, paper.rows(), small.rows(), strict=True)
    ]
    # The paper has no figure of the iRNN and the uRNN on CIFAR-10.
    return tuple(rows[2:] if dataset == "CIFAR10" else rows)


TABLE2 = PaperTable(
    "table2",
    "Pixel by pixel: MNIST, permuted MNIST, CIFAR-10",
    "test accuracy %",
    (
        *_rows("MNIST", ON_MNIST, ON_MNIST14),
        *_rows("pMNIST", ON_PMNIST, ON_PMNIST14),
        *_rows("CIFAR10", ON_CIFAR10, ON_CIFAR16),
    ),
    "MNIST-14, 14 x 14 pixels, truncated to 75 of 196 steps; CIFAR-10 pooled to 16 x 16",
)
