"""What a run is, in one typed tree with units. Plain data: nothing here imports torch or builds anything.

Every field's docstring line states its unit. Unknown keys are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from longreach.config_text import assign, problems
from longreach.errors import ConfigError

Truncation = Annotated[int, Field(ge=0)] | None
"""Steps; null is full BPTT, 0 lets no gradient through."""

Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
Initialisation = Literal["torch", "glorot"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DataConfig(_Section):
    """Where the sequences come from, and how images become sequences."""

    source: Literal["mnist14", "idx", "hub"] = "mnist14"
    """mnist14: bundled; idx: MNIST's four original files; hub: a local Parquet file, image folder or hub name."""
    path: str | None = None
    """Folder, file or hub name; null for the bundled data."""
    resize: Count | None = None
    """Pixels per side; null keeps the images as they are."""
    scan: Literal["rows", "columns", "snake", "bottom_up"] = "rows"
    """Order in which pixels are read."""
    permutation_seed: Annotated[int, Field(ge=0)] | None = None
    """Seed of one fixed permutation of the pixels (pMNIST), its own and never the run's; null for none."""
    train_samples: Count | None = None
    """Training samples used, the first ones; null for all."""
    validation: Annotated[int, Field(ge=0)] = 2_000
    """Training samples held out for validation, stratified by class."""
    validation_seed: int = 0
    """Seed of the validation split, its own and never the run's."""

    @model_validator(mode="after")
    def _path_where_needed(self) -> DataConfig:
        if self.source != "mnist14" and self.path is None:
            raise ValueError(f"data.path: source {self.source!r} needs a path; set data.path to where the data are")
        if self.source == "mnist14" and self.path is not None:
            raise ValueError(
                f"data.path: source 'mnist14' is bundled and takes no path, found {self.path!r}; "
                "set data.source to idx (MNIST's four files) or hub (Parquet, image folder, hub name)"
            )
        return self


class ModelConfig(_Section):
    """The classifier."""

    cell: Literal["lstm", "gru", "rnn_tanh", "rnn_relu"] = "lstm"
    """Recurrent cell."""
    hidden_size: Count = 128
    """Units per layer."""
    layers: Count = 1
    """Recurrent layers."""
    embedding_size: Count | None = 128
    """Numbers per embedded step; null feeds values as they are."""
    forget_bias: float = 1.0
    """Added to the LSTM's forget gate at the start."""
    head_size: Count = 256
    """Hidden units of the head."""
    drop_connect: Probability = 0.5
    """Probability on the head's second layer."""
    initialisation: Initialisation = "torch"
    """torch, or glorot as TensorFlow 1's defaults."""


class _SegmentConfig(_Section):
    segments: Count = 1
    """n, segments per update."""
    length: Annotated[int, Field(ge=2)] = 600
    """l, tokens per segment, the given first one included."""
    truncation: Truncation = 300
    """Steps before an anchor through which gradient flows."""
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """Factor in the sum of losses."""
    sampling_updates: Count | None = None
    """Updates over which scheduled sampling falls to no truth at all; null is teacher forcing."""
    sampling_passes: Count | None = 1
    """Gradient-free passes that make the sampled inputs; null is token by token, exact and slow."""
    decoder_size: Count | None = None
    """Units of the decoder's layers; null for the encoder's."""
    decoder_layers: Count = 2
    """Layers of the decoder."""
    decoder_embedding_size: Count | None = 128
    """Numbers per embedded decoder input; null feeds values as they are."""
    head_size: Count = 256
    """Hidden units of the decoder's head."""
    drop_connect: Probability = 0.5
    """Probability on the second layer of the decoder's head."""


class ReconstructConfig(_SegmentConfig):
    """The reconstruction loss of r-LSTM."""

    kind: Literal["reconstruct"] = "reconstruct"
    """Which loss this is."""
    place: Literal["immediate", "past", "overlap"] = "overlap"
    """Where segments lie: just before the anchor, anywhere before it, or also up to half past it."""
    reverse: bool = True
    """Rebuild the last token first."""


class PredictConfig(_SegmentConfig):
    """The prediction loss of p-LSTM."""

    kind: Literal["predict"] = "predict"
    """Which loss this is."""


class RecallConfig(_Section):
    """The recall loss."""

    kind: Literal["recall"] = "recall"
    """Which loss this is."""
    anchors: Count = 4
    """n, anchors per update."""
    queries: Count = 16
    """q, lags asked for per anchor and sequence."""
    horizon: Count | None = None
    """Longest lag in steps; null for the whole sequence."""
    truncation: Truncation = 30
    """Steps before an anchor through which gradient flows."""
    weight: Annotated[float, Field(gt=0.0)] = 3.0
    """Factor in the sum of losses."""
    readout_size: Count = 256
    """Units of the readout's two hidden layers."""


AuxiliaryConfig = Annotated[ReconstructConfig | PredictConfig | RecallConfig, Field(discriminator="kind")]


class PhaseConfig(_Section):
    """A stretch of training with its own losses and learning rate."""

    name: str = "joint"
    """Shown in progress and records."""
    epochs: Annotated[float, Field(gt=0.0)] | None = None
    """Length in passes over the training set; give this or updates."""
    updates: Count | None = None
    """Length in updates; give this or epochs."""
    supervised: bool = True
    """Train on the labels."""
    auxiliary: bool = True
    """Train on the auxiliary losses."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 0.001
    """Learning rate at the phase's start, after warm-up."""
    schedule: Literal["constant", "halving", "cosine"] = "constant"
    """constant; halving every halve_every; cosine down to zero at the phase's end."""
    halve_every: Annotated[float, Field(gt=0.0)] | None = None
    """Distance between halvings, in the unit of the phase's length (epochs or updates)."""
    warmup: Annotated[int, Field(ge=0)] = 0
    """Updates over which the learning rate rises linearly at the phase's start."""

    @model_validator(mode="after")
    def _consistent(self) -> PhaseConfig:
        if (self.epochs is None) == (self.updates is None):
            raise ValueError(
                f"phase {self.name!r}: give either epochs or updates, "
                f"found epochs={self.epochs}, updates={self.updates}"
            )
        if (self.schedule == "halving") != (self.halve_every is not None):
            raise ValueError(f"phase {self.name!r}: halve_every belongs to schedule 'halving', and 'halving' needs it")
        if not (self.supervised or self.auxiliary):
            raise ValueError(f"phase {self.name!r}: trains nothing; set supervised or auxiliary to true")
        return self


class OptimiserConfig(_Section):
    """How weights move."""

    name: Literal["adam", "rmsprop", "rmsprop_tf"] = "adam"
    """adam and rmsprop are PyTorch's; rmsprop_tf is TensorFlow 1's, as in the paper's recipes."""
    clip: Annotated[float, Field(gt=0.0)] | None = 1.0
    """Largest norm of all gradients together; null for no clipping."""


class RunConfig(_Section):
    """One training run, whole."""

    name: str = "run"
    """The recipe's name, shown in records."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of weights, order, anchors, lags and masks."""
    data: DataConfig = DataConfig()
    """The sequences."""
    model: ModelConfig = ModelConfig()
    """The classifier."""
    truncation: Truncation = None
    """Steps before the end through which the classifier's gradient flows."""
    auxiliary: tuple[AuxiliaryConfig, ...] = ()
    """The auxiliary losses, none or several."""
    phases: Annotated[tuple[PhaseConfig, ...], Field(min_length=1)] = (PhaseConfig(epochs=10),)
    """What is trained when, in order."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """How weights move; its state is carried from phase to phase."""
    batch_size: Count = 32
    """Sequences per update."""
    evaluate_every: Count | None = None
    """Updates between evaluations of the monitored parts; null for one epoch."""
    monitor: tuple[Literal["train", "validation", "test"], ...] = ("validation",)
    """Parts evaluated along the way; train is its first 5,000 samples, test is for curves and never selects."""
    checkpoint_every: Count = 500
    """Updates between checkpoints."""
    log_every: Count = 50
    """Updates averaged into one row of metrics."""
    select: Literal["best", "last"] = "best"
    """Weights kept as the model: the best on the validation split, or the last (the paper's way)."""
    tensorboard: bool = True
    """Also write TensorBoard logs."""
    budget: Annotated[float, Field(gt=0.0)] | None = None
    """Seconds that training may take; phases, halvings and sampling shrink in proportion."""
    budget_scale: float | None = None
    """By what the schedule was shrunk to fit the budget; set by longreach when it does."""

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        for phase in self.phases:
            if phase.auxiliary and not phase.supervised and not self.auxiliary:
                raise ValueError(f"phase {phase.name!r}: trains on auxiliary losses alone, but the run has none")
        if "validation" in self.monitor and self.data.validation == 0:
            raise ValueError(
                "monitor: 'validation' needs a validation split; set data.validation above 0 or take it out"
            )
        if self.select == "best" and "validation" not in self.monitor:
            raise ValueError("select: 'best' needs 'validation' in monitor; add it or set select to 'last'")
        return self

    def with_set(self, assignments: dict[str, Any]) -> RunConfig:
        """The same run with dotted keys set, such as `model.hidden_size` or `auxiliary.0.weight`.

        Raises:
            ConfigError: a key that does not exist or a value that does not fit.
        """
        tree = self.model_dump(mode="json")
        for key, value in assignments.items():
            assign(tree, key, value)
        return parse_config(tree, "--set")

    def to_yaml(self) -> str:
        """The whole run as YAML that `load_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def parse_config(tree: Any, where: str) -> RunConfig:
    """A run from plain data.

    Args:
        tree: what YAML or JSON gave.
        where: named in the error, such as the file.

    Raises:
        ConfigError: all problems at once, each with its key.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems(error))) from None


def load_config(path: Path) -> RunConfig:
    """A run from a YAML file.

    Raises:
        ConfigError: no such file, no YAML, or problems in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the configuration ({error.strerror}); give a YAML file or a recipe's name"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected a YAML text in UTF-8, found other bytes") from None
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path}: expected keys and values, found {type(tree).__name__}; `longreach recipes NAME` prints an example"
        )
    return parse_config(tree, str(path))
