"""Figures 4 to 6, on CIFAR-10 in the paper: shrinking truncation, training curves, one part left out at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from longreach.config import RunConfig
from longreach.recipes import method
from longreach.recipes.naming import Recipe, many, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.table2 import ON_CIFAR10, ON_MNIST14, Methods
from longreach.recipes.task import CIFAR10, MNIST14, Task

REACHES = (300, 250, 200, 150, 100, 50, 1, 0)
"""Supervised truncations of Figure 4: its axis has these marks; 0 is its "no supervised BPTT"."""

SMALL_REACHES = (75, 62, 50, 37, 25, 12, 1, 0)
"""The same shares of 196 steps, but for the last two."""


def reach(task: Task, kind: str, truncation: int) -> Recipe:
    """r-LSTM or p-LSTM whose classifier's gradient reaches `truncation` steps; that of the auxiliary loss stays."""
    make = method.r if kind == "r" else method.p
    return named(
        f"{task.name}-{kind}-k{truncation}",
        f"{kind}-LSTM, the classifier's gradient through {many(truncation, 'step')}",
        lambda: make(task, truncation, truncation=task.truncation),
    )


def _reaches(kind: str) -> tuple[Row, ...]:
    longest = (getattr(ON_CIFAR10, kind), getattr(ON_MNIST14, kind))
    rows = [Row("CIFAR10", f"{kind}-LSTM", f"supervised truncation {REACHES[0]}", *longest)]
    for paper, small in zip(REACHES[1:], SMALL_REACHES[1:], strict=True):
        recipes = reach(CIFAR10, kind, paper), reach(MNIST14, kind, small)
        rows.append(Row("CIFAR10", f"{kind}-LSTM", f"supervised truncation {paper}", *recipes))
    return tuple(rows)


FIGURE4 = PaperTable(
    "figure4",
    "Shrinking the supervised truncation",
    "test accuracy %",
    (
        *_reaches("r"),
        *_reaches("p"),
        Row("CIFAR10", "LSTM", "full BPTT", ON_CIFAR10.lstm_full, ON_MNIST14.lstm_full),
    ),
    "MNIST-14, truncations in proportion to its 196 steps",
)

FIGURE5 = PaperTable(
    "figure5",
    "Training and test accuracy along the training",
    "accuracy %",
    (
        Row("CIFAR10", "r-LSTM", "truncate 300", ON_CIFAR10.r, ON_MNIST14.r),
        Row("CIFAR10", "p-LSTM", "truncate 300", ON_CIFAR10.p, ON_MNIST14.p),
        Row("CIFAR10", "LSTM", "first epochs", ON_CIFAR10.lstm_full, ON_MNIST14.lstm_full),
    ),
    "MNIST-14",
)


def ablations(task: Task) -> tuple[tuple[str, Recipe], ...]:
    """Each part of r-LSTM left out, with how the figure calls it.

    Paper: section 5.4.
    """

    def r(**changed: Any) -> RunConfig:
        return method.r(task, task.truncation, **changed)

    def no_joint() -> RunConfig:
        phases = (task.schedule.pretrain(), task.schedule.joint(pretrained=True, auxiliary=False))
        return r().model_copy(update={"phases": phases})

    def no_pretraining() -> RunConfig:
        return r().model_copy(update={"phases": (task.schedule.joint(pretrained=False),)})

    def recipe(suffix: str, about: str, build: Callable[[], RunConfig]) -> Recipe:
        return named(f"{task.name}-r-{suffix}", f"r-LSTM {about}", build)

    return (
        (
            "without joint training",
            recipe("no-joint", "without the auxiliary loss after pretraining", no_joint),
        ),
        (
            "without scheduled sampling",
            recipe("teacher-forcing", "without scheduled sampling", lambda: r(sampling_updates=None)),
        ),
        ("without pretraining", recipe("no-pretraining", "without pretraining", no_pretraining)),
        (
            "only the immediate past",
            recipe("immediate", "that rebuilds only the immediate past", lambda: r(place="immediate")),
        ),
        (
            "not past the anchor",
            recipe("past", "whose segments end at the anchor at the latest", lambda: r(place="past")),
        ),
        (
            "without input embedding",
            recipe("no-embedding", "without input embedding", lambda: method.without_embedding(r())),
        ),
        ("not reversed", recipe("forward", "that rebuilds in reading order", lambda: r(reverse=False))),
        ("one auxiliary layer", recipe("one-layer", "with a decoder of one layer", lambda: r(decoder_layers=1))),
    )


def _base(at: Methods) -> Recipe:
    return at.r


FIGURE6 = PaperTable(
    "figure6",
    "One part of r-LSTM left out at a time",
    "change in test accuracy",
    (
        Row("CIFAR10", "r-LSTM", "all parts", _base(ON_CIFAR10), _base(ON_MNIST14)),
        *(
            Row("CIFAR10", "r-LSTM", setting, paper, small)
            for (setting, paper), (_, small) in zip(ablations(CIFAR10), ablations(MNIST14), strict=True)
        ),
    ),
    "MNIST-14",
    'Segments of "only the immediate past" end at the anchor, so that they do not pass it either: what the distant '
    'past alone is worth is its difference from "not past the anchor".',
)
