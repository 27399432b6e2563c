"""Figure 3: accuracy (top) and seconds per update (bottom) as sequences grow to 16,384 steps."""

from __future__ import annotations

from longreach.data.dogs_sizes import DOGS_SIZES
from longreach.recipes import method
from longreach.recipes.naming import Recipe, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.table3 import transformer
from longreach.recipes.task import SMALL_SIZES, Task, digits, dogs


def curves(task: Task, small: bool) -> tuple[tuple[str, Recipe], ...]:
    """Every method of the figure at one length, with how it is called there."""
    k, name = task.truncation, task.name
    return (
        ("LSTM", named(f"{name}-lstm-full", "LSTM, full backpropagation through time", lambda: method.lstm(task))),
        (
            "r-LSTM",
            named(
                f"{name}-r", f"r-LSTM, one segment of {task.length}, truncated to {k} steps", lambda: method.r(task, k)
            ),
        ),
        (
            "p-LSTM",
            named(
                f"{name}-p", f"p-LSTM, one segment of {task.length}, truncated to {k} steps", lambda: method.p(task, k)
            ),
        ),
        (
            "r-LSTM 20x30",
            named(
                f"{name}-r-20x30",
                f"r-LSTM, 20 segments of 30, the classifier's gradient through {k} steps",
                lambda: method.r(task, k, segments=20, length=30, truncation=30),
            ),
        ),
        ("Transformer", transformer(task, small)),
    )


def _rows(size: int) -> tuple[Row, ...]:
    small = [recipe for _, recipe in curves(digits(size), small=True)] if size in SMALL_SIZES else None
    return tuple(
        Row("StanfordDogs", model, f"{size * size} steps", recipe, None if small is None else small[place])
        for place, (model, recipe) in enumerate(curves(dogs(size), small=False))
    )


FIGURE3 = PaperTable(
    "figure3",
    "Growing length: accuracy (top), seconds per update (bottom)",
    "test accuracy %",
    tuple(row for size in DOGS_SIZES for row in _rows(size)),
    "MNIST resized to four of the eight sizes, ten minutes of training for every method and length",
)
