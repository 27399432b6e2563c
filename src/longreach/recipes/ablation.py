"""The ablation on MNIST-14: which settings of the auxiliary losses matter, one factor at a time.

As in the paper's Figure 6, every variant differs in one setting from a base. There is one base for each way of cutting
about 98 tokens into segments. Every run takes the same number of updates, pretraining included.
"""

from __future__ import annotations

from typing import Any

from longreach.config import (
    AuxiliaryConfig,
    DataConfig,
    ModelConfig,
    PhaseConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    RunConfig,
    StoredConfig,
)

UPDATES = 10_000
"""Of every run, pretraining included."""

PRETRAINING = 2_500
"""Updates on the auxiliary losses alone, where there is pretraining."""

SAMPLING = 2_000
"""Updates over which scheduled sampling falls to no truth: the share of the paper's schedule (100,000 of 470,000)."""

TRUNCATION = 28
"""Steps of gradient, of the classifier and before every anchor: two rows of pixels."""

FAST: dict[str, Any] = {"learning_rate": 0.004, "schedule": "cosine", "warmup": 200}
"""A higher learning rate that falls, as the demo has it."""

SEGMENTS = ((1, 98), (4, 28), (8, 12))
"""(n, l) of the three bases: half of the sequence in one segment, in four, in eight."""


def mnist14_ablation() -> tuple[RunConfig, ...]:
    """Every run of the table, each with its own name."""
    return (
        lstm("lstm-truncated"),
        lstm("lstm-full", truncation=None),
        fast("lstm-full-fast", None),
        with_initialisation(lstm("lstm-truncated")),
        with_initialisation(lstm("lstm-full", truncation=None)),
        *(run for n, length in SEGMENTS for run in reconstruction(n, length)),
        *prediction(),
        *recall(),
    )


def lstm(
    name: str, truncation: int | None = TRUNCATION, *losses: AuxiliaryConfig, pretrained: bool = False
) -> RunConfig:
    """A run of the ablation: H = 64, batch 32, Adam at 0.001, clipped at 1, forget bias 1."""
    joint = PhaseConfig(updates=UPDATES - (PRETRAINING if pretrained else 0))
    before = PhaseConfig(name="pretrain", updates=PRETRAINING, supervised=False)
    return RunConfig(
        name=name,
        data=DataConfig(validation=1_000),
        model=ModelConfig(hidden_size=64, embedding_size=64),
        truncation=truncation,
        auxiliary=losses,
        phases=(before, joint) if pretrained else (joint,),
        batch_size=32,
        evaluate_every=500,
        checkpoint_every=1_000,
        tensorboard=False,
    )


def reconstruction(segments: int, length: int) -> tuple[RunConfig, ...]:
    """r-LSTM as the paper has it, then with one setting changed at a time, and the best two of them at once."""
    base = f"r-{segments}x{length}"

    def run(suffix: str, pretrained: bool = True, **changed: Any) -> RunConfig:
        settings = {"segments": segments, "length": length, **_SEGMENT, **changed}
        return lstm(base + suffix, TRUNCATION, ReconstructConfig(**settings), pretrained=pretrained)

    return (
        run(""),
        run("-lags", lag_features=True),
        run("-immediate", place="immediate"),
        run("-forward", reverse=False),
        run("-teacher-forcing", sampling_updates=None),
        run("-no-pretraining", pretrained=False),
        *((with_initialisation(run("")),) if segments == 1 else ()),
        # The two settings that helped most, together.
        run("-immediate-lags", place="immediate", lag_features=True),
    )


def prediction() -> tuple[RunConfig, ...]:
    """p-LSTM, and both losses at once."""
    length = 98
    p = PredictConfig(length=length, **_SEGMENT)
    r = ReconstructConfig(length=length, **_SEGMENT)
    return (
        lstm(f"p-1x{length}", TRUNCATION, p, pretrained=True),
        lstm(f"p-1x{length}-stacked", TRUNCATION, p.model_copy(update={"form": "stacked"}), pretrained=True),
        lstm(f"r+p-1x{length}", TRUNCATION, r, p, pretrained=True),
    )


def recall() -> tuple[RunConfig, ...]:
    """Recall by weight and by anchors, with prediction beside it, and from stored states."""
    p = PredictConfig(length=98, **_SEGMENT)

    def run(suffix: str, *others: AuxiliaryConfig, **changed: Any) -> RunConfig:
        settings = {"anchors": 4, "queries": 16, "truncation": TRUNCATION, "weight": 3.0, **changed}
        return lstm("recall" + suffix, TRUNCATION, RecallConfig(**settings), *others)

    return (
        run(""),
        run("-weight-1", weight=1.0),
        run("-weight-10", weight=10.0),
        run("-anchors-1", anchors=1),
        run("-anchors-16", anchors=16),
        run("+p", p),
        run("-log-lags", lag_distribution="log"),
        run("-growing-lags", growth=UPDATES // 2),
        run("-blocks", blocks=(1, 14)),
        run("-both-directions", direction="both"),
        with_initialisation(run("")),
        run("-stored").model_copy(update={"stored": StoredConfig(grid=28, burn_in=28, refresh_every=4)}),
        *(
            fast(name, TRUNCATION, RecallConfig(anchors=anchors, queries=16, truncation=14, weight=10.0))
            for name, anchors in (("recall-fast", 8), ("recall-fast-anchors-16", 16))
        ),
    )


def with_initialisation(run: RunConfig) -> RunConfig:
    """The same with TensorFlow 1's initialisation, which is the paper's, of encoder, head, decoder and readout."""
    model = run.model.model_copy(update={"initialisation": "glorot"})
    return run.model_copy(update={"name": f"{run.name}-glorot", "model": model})


def fast(name: str, truncation: int | None, *losses: AuxiliaryConfig) -> RunConfig:
    """A higher learning rate that falls, as the demo has it; there recall has anchors of one row, weight 10."""
    base = lstm(name, truncation, *losses)
    return base.model_copy(update={"phases": (PhaseConfig(updates=UPDATES, **FAST),)})


_SEGMENT: dict[str, Any] = {
    "truncation": TRUNCATION,
    "sampling_updates": SAMPLING,
    "sampling_passes": None,
    "decoder_embedding_size": 64,
    "drop_connect": 0.0,
}
"""What all decoders here share. Drop-connect is left out of their heads: with one output it is mostly noise."""
