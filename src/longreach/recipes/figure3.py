"""Figure 3: accuracy (top) and seconds per update (bottom) as sequences grow to 16,384 steps."""

from __future__ import annotations

from longreach.config import TransformerConfig
from longreach.data.dogs_sizes import DOGS_SIZES
from longreach.recipes import method
from longreach.recipes.naming import Recipe, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.table3 import transformer
from longreach.recipes.task import SMALL_SIZES, Task, digits, dogs

DIGITS_TRANSFORMER = TransformerConfig(hidden_size=32, filter_size=128, heads=2, dropout=0.0)
"""Small, as testing 10,000 images of 4,096 steps takes longer than training."""

DIGITS_WARMUP = 15_000
"""Of the 187,500 updates of the whole schedule, the share that Table 3's small Transformers have: a budget leaves as
much of the one as of the other."""

TRANSFORMER_SIZES = (40, 64)
"""Of the small sizes those at which the Transformer can be trained and tested within an hour of one core. At 96 x 96
an update of 32 images takes about a minute, so that ten minutes hold ten, and testing takes more than an hour; at
128 x 128 three times as long."""


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
        ("Transformer", _small_transformer(task) if small else transformer(task, small)),
    )


def _small_transformer(task: Task) -> Recipe:
    model = DIGITS_TRANSFORMER
    return named(
        f"{task.name}-transformer",
        f"Transformer, {model.layers} layers of {model.hidden_size}, mean over all steps",
        lambda: method.network(task, model, DIGITS_WARMUP),
    )


def _rows(size: int) -> tuple[Row, ...]:
    small = dict(curves(digits(size), small=True)) if size in SMALL_SIZES else {}
    if size not in TRANSFORMER_SIZES:
        small.pop("Transformer", None)
    return tuple(
        Row("StanfordDogs", model, f"{size * size} steps", recipe, small.get(model))
        for model, recipe in curves(dogs(size), small=False)
    )


FIGURE3 = PaperTable(
    "figure3",
    "Growing length: accuracy (top), seconds per update (bottom)",
    "test accuracy %",
    tuple(row for size in DOGS_SIZES for row in _rows(size)),
    "MNIST resized to four of the eight sizes, ten minutes of training for every method and length; units that keep "
    "their state for up to the whole length at the start (`model.chrono`), as with a forget bias of 1 full "
    "backpropagation was still at chance after five minutes at 1,600 steps; the Transformer up "
    "to 4,096 steps, beyond which that time is too short for it",
)
