"""Harder tests of the settings that the ablation on MNIST-14 favours: full MNIST, digits followed by noise, and what is
read without gradient in half precision.
"""

from __future__ import annotations

from typing import Any, Literal

from longreach.config import AuxiliaryConfig, DataConfig, ModelConfig, PhaseConfig, RecallConfig, RunConfig
from longreach.recipes.ablation import FAST, with_initialisation
from longreach.recipes.cells import with_cell


def mnist784() -> tuple[RunConfig, ...]:
    """MNIST pixel by pixel, T = 784, the classifier's gradient through the last four rows."""
    data = DataConfig(source="idx", path="data/mnist", validation=1_000)

    def run(name: str, *losses: AuxiliaryConfig, truncation: int | None = 112, **changed: Any) -> RunConfig:
        return _run(name, data, truncation, losses, updates=9_000, evaluate_every=1_000, **changed)

    def recall(**changed: Any) -> RecallConfig:
        return RecallConfig(**{"anchors": 4, "queries": 32, "truncation": 56, "weight": 3.0, **changed})

    runs = (
        run("lstm-truncated"),
        run("lstm-full", truncation=None),
        run("lstm-full-fast", truncation=None, **FAST),
        run("recall", recall()),
        run("recall-weight-10", recall(weight=10.0)),
        run("recall-anchors-16", recall(anchors=16)),
        run("recall-growing-lags", recall(growth=4_500, horizon_start=28)),
        run("recall-log-lags", recall(lag_distribution="log")),
        run("recall-fast", recall(anchors=8, truncation=28, weight=10.0), **FAST),
    )
    # As it is the LSTM stands at chance for thousands of updates.
    names = ("lstm-truncated", "lstm-full", "lstm-full-fast", "recall", "recall-fast")
    again = tuple(run for run in runs if run.name in names)
    s4d = with_cell(run("lstm-truncated"), "s4d", "s4d-truncated")
    return (*runs, *map(with_initialisation, again), *(_with_chrono(run, 784) for run in again), s4d)


def mnist784_start() -> tuple[RunConfig, ...]:
    """The first 3,000 updates on MNIST: what keeps the truncated LSTM at chance for so long?"""
    data = DataConfig(source="idx", path="data/mnist", validation=1_000)

    base = _run("lstm-truncated", data, 112, (), updates=3_000, evaluate_every=250)
    return (
        base,
        with_initialisation(base),
        _with_chrono(base, 784),
        base.with_set({"name": f"{base.name}-no-embedding", "model.embedding_size": None}),
        base.with_set({"name": f"{base.name}-no-drop-connect", "model.drop_connect": 0.0}),
    )


def noise() -> tuple[RunConfig, ...]:
    """MNIST-14 and then 804 steps of noise: T = 1,000, of which the classifier's gradient sees the last 100."""
    data = DataConfig(noise=804, validation=1_000)

    def run(name: str, *losses: AuxiliaryConfig, truncation: int | None = 100, **changed: Any) -> RunConfig:
        return _run(name, data, truncation, losses, **{"updates": 10_000, "evaluate_every": 1_000, **changed})

    def recall(**changed: Any) -> RecallConfig:
        return RecallConfig(**{"anchors": 4, "queries": 32, "truncation": 50, "weight": 3.0, **changed})

    runs = (
        run("lstm-truncated"),
        run("lstm-full", truncation=None),
        run("lstm-full-fast", truncation=None, **FAST),
        run("recall", recall()),
        run("recall-growing-lags", recall(growth=5_000, horizon_start=16)),
        run("recall-blocks", recall(blocks=(1, 14, 98))),
        # Of a mean over a row's 14 steps noise is a fourteenth of what it is of one, and a digit most of it.
        run("recall-means", recall(blocks=(14,), weight=10.0)),
        run("recall-means-fast", recall(anchors=8, blocks=(14,), weight=10.0), **FAST),
        # Ten thousand updates leave it rising.
        run("recall-means-fast-long", recall(anchors=8, blocks=(14,), weight=10.0), updates=30_000, **FAST),
        run("recall-fast", recall(anchors=8, weight=10.0), **FAST),
    )
    again = ("lstm-truncated", "lstm-full", "recall", "recall-means-fast")
    s4d = [
        with_cell(next(run for run in runs if run.name == like), "s4d", name)
        for like, name in (("lstm-truncated", "s4d-truncated"), ("recall-means", "s4d-recall-means"))
    ]
    return (*runs, *(_with_chrono(run, 1_000) for run in runs if run.name in again), *s4d)


_EQUAL_TIME: tuple[tuple[str, Literal["lstm", "s4d"], int | None, tuple[AuxiliaryConfig, ...]], ...] = (
    ("lstm-full", "lstm", None, ()),
    ("lstm-truncated", "lstm", 300, ()),
    ("recall", "lstm", 300, (RecallConfig(anchors=8, queries=16, truncation=30, weight=10.0),)),
    ("s4d-truncated", "s4d", 300, ()),
)
"""Methods that have as much time: name, cell, truncation and losses."""


def equal_time() -> tuple[RunConfig, ...]:
    """MNIST resized to 1,600, 4,096 and 16,384 steps, ten minutes of one core for every method: from which length on is
    a truncated gradient with recall worth more than the whole gradient, and S4D, which remembers without being taught,
    more than an LSTM?
    """
    return tuple(
        RunConfig(
            name=f"{side * side}-{name}",
            data=DataConfig(source="idx", path="data/mnist", resize=side, validation=500),
            model=ModelConfig(
                cell=cell, hidden_size=64, embedding_size=64, chrono=side * side if cell == "lstm" else None
            ),
            truncation=truncation,
            auxiliary=losses,
            # More updates than the time holds: the schedule shrinks to it.
            phases=(PhaseConfig(updates=20_000, learning_rate=0.004, schedule="cosine", warmup=800),),
            batch_size=32,
            evaluate_every=10**9,
            select="last",
            tensorboard=False,
            budget=600.0,
        )
        for side in (40, 64, 128)
        for name, cell, truncation, losses in _EQUAL_TIME
    )


def precision() -> tuple[RunConfig, ...]:
    """What is read without gradient, and all of an update, in float32 and in bfloat16, on MNIST-14 and on MNIST."""
    sets = (
        ("mnist14", DataConfig(validation=1_000), 28, 14),
        ("mnist", DataConfig(source="idx", path="data/mnist", validation=1_000), 112, 28),
    )
    return tuple(
        _run(
            f"{name}-{kind}",
            data,
            truncation,
            (RecallConfig(anchors=8, queries=16, truncation=window, weight=10.0),),
            updates=4_500,
            evaluate_every=500,
            **FAST,
        ).model_copy(update={"prefix_precision": prefix, "gradient_precision": gradient})
        for name, data, truncation, window in sets
        for kind, prefix, gradient in (
            ("float32", "float32", "float32"),
            ("bfloat16", "bfloat16", "float32"),
            ("all-bfloat16", "bfloat16", "bfloat16"),
        )
    )


def _with_chrono(run: RunConfig, steps: int) -> RunConfig:
    """The same with units of the encoder that keep their state for 1 step to about so many at the start."""
    model = run.model.model_copy(update={"chrono": steps})
    return run.model_copy(update={"name": f"{run.name}-chrono", "model": model})


def _run(
    name: str,
    data: DataConfig,
    truncation: int | None,
    losses: tuple[AuxiliaryConfig, ...],
    updates: int,
    evaluate_every: int,
    **phase: Any,
) -> RunConfig:
    """H = 64, batch 32, Adam at 0.001 where nothing else is said, clipped at 1, forget bias 1."""
    return RunConfig(
        name=name,
        data=data,
        model=ModelConfig(hidden_size=64, embedding_size=64),
        truncation=truncation,
        auxiliary=losses,
        phases=(PhaseConfig(updates=updates, **phase),),
        batch_size=32,
        evaluate_every=evaluate_every,
        checkpoint_every=1_000,
        tensorboard=False,
    )
