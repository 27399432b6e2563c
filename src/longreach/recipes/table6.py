"""Table 6: many short segments instead of one long one, n x l fixed, with almost no supervised gradient."""

from __future__ import annotations

from longreach.recipes import method
from longreach.recipes.naming import Recipe, many, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.task import CIFAR10, MNIST14, Task

SPLITS = ((1, 600), (10, 60), (20, 30), (50, 12), (100, 6), (200, 3))
"""(n, l), as printed."""

SMALL_SPLITS = ((1, 150), (5, 30), (10, 15), (15, 10), (30, 5), (50, 3))
"""n x l is 150, to 196 steps what 600 are to 784; in the place of those printed."""


def frequency(task: Task, segments: int, length: int, truncation: int) -> Recipe:
    """r-LSTM with n segments of l.

    Paper: section 5.2, "we also set the unsupervised BPTT truncation to be l".
    """
    return named(
        f"{task.name}-r-{segments}x{length}-k{truncation}",
        f"r-LSTM, {many(segments, 'segment')} of {length}, the classifier's gradient through "
        f"{many(truncation, 'step')}",
        lambda: method.r(task, truncation, segments=segments, length=length, truncation=length),
    )


TABLE6 = PaperTable(
    "table6",
    "Number of segments at fixed cost",
    "test accuracy %",
    tuple(
        Row(
            "CIFAR10",
            f"r-LSTM {n}x{length}",
            f"supervised truncation {k}",
            frequency(CIFAR10, n, length, k),
            frequency(MNIST14, small_n, small_length, k),
        )
        for k in (1, 0)
        for (n, length), (small_n, small_length) in zip(SPLITS, SMALL_SPLITS, strict=True)
    ),
    "MNIST-14, with n x l = 150",
)
