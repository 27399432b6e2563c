"""What a run is, in one typed tree with units. Plain data: nothing here imports torch or builds anything.

Every field's docstring line states its unit. Unknown keys are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from longreach.config.data import DataConfig, idle_keys
from longreach.config.losses import AuxiliaryConfig
from longreach.config.model import ModelConfig, OptimiserConfig
from longreach.config.nearby import meant
from longreach.config.networks import NetworkConfig
from longreach.config.section import Count, Section, Text, Truncation
from longreach.config.text import MOST_CHARACTERS, assign, problems, read_yaml, write_yaml
from longreach.errors import ConfigError

MOST_STEPS_A_CALL = 32_768
"""Of a recurrent layer, in one call: `model.reading.LONGEST_CALL`."""


def _class_weight(value: Any) -> Any:
    if value is None or value == "balanced":
        return value
    weights = value.values() if isinstance(value, dict) else ()
    if weights and all(type(weight) in (int, float) and 0 <= weight < math.inf for weight in weights):
        if any(isinstance(name, bool) for name in value):
            raise ValueError(
                "class_weight: expected names of classes, found true or false, as YAML reads yes and no without "
                "quotes; put them into quotes"
            )
        # Classes that are numbers are called so in YAML without quotes.
        return {str(name): weight for name, weight in value.items()}
    raise ValueError(
        "class_weight: expected balanced, or a number from 0 on by the name of a class, such as {up: 2}, found "
        f"{value!r}"
    )


class PhaseConfig(Section):
    """A stretch of training with its own losses and learning rate."""

    name: Text = "joint"
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


class StoredConfig(Section):
    """Stored state with burn-in (ours, experimental): windows begin from states of earlier visits, which are stale."""

    grid: Count = 28
    """Steps between the states that are stored."""
    burn_in: Annotated[int, Field(ge=0)] = 28
    """Steps read without gradient from a stored state before a window, at least; up to grid - 1 more."""
    refresh_every: Count | None = 4
    """Visits of a sequence between two readings of the whole of it; null: it is read whole at its first alone."""


class RunConfig(Section):
    """One training run, whole."""

    name: Text = "run"
    """The recipe's name, shown in records."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of weights, order, anchors, lags and masks."""
    data: DataConfig = DataConfig()
    """The sequences."""
    model: NetworkConfig = ModelConfig()
    """The classifier: the recurrent one, or a network that it is compared with."""
    truncation: Truncation = None
    """Steps before the end through which the classifier's gradient flows."""
    auxiliary: tuple[AuxiliaryConfig, ...] = ()
    """The auxiliary losses, none or several."""
    class_weight: Annotated[Literal["balanced"] | dict[str, float] | None, BeforeValidator(_class_weight)] = None
    """By how much each class counts in the classifier's loss and in the validation's accuracy and loss: balanced, the
    more the rarer it is among the training sequences; or a weight by the name of a class, 1 for those not named; null:
    every sequence counts alike. In training weights are divided by their mean over its sequences."""
    phases: Annotated[tuple[PhaseConfig, ...], Field(min_length=1)] = (PhaseConfig(epochs=10),)
    """What is trained when, in order."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """How weights move; its state is carried from phase to phase."""
    batch_size: Count = 32
    """Sequences per update."""
    evaluate_every: Count | None = None
    """Updates between evaluations of the monitored parts; null for one epoch."""
    monitor: tuple[Literal["train", "validation", "test"], ...] = ("validation",)
    """Parts evaluated along the way; train is its first 5,000 labelled ones, test is for curves and never selects."""
    recompute_every: Annotated[int, Field(ge=1, le=MOST_STEPS_A_CALL)] | None = None
    """Steps between the states kept for the backward pass; what is between them is computed twice, in less memory, to
    the same gradients. null keeps everything."""
    prefix_precision: Literal["float32", "bfloat16"] = "float32"
    """Of what is read without gradient before the windows: bfloat16 multiplies bfloat16 numbers and keeps the LSTM's
    cell in float32, on CPUs that can."""
    gradient_precision: Literal["float32", "bfloat16"] = "float32"
    """Of what runs with gradient, windows and losses: bfloat16 is autocast, faster and in half the memory, on devices
    that have it; weights and their updates stay float32."""
    stored: StoredConfig | None = None
    """Begin windows from states stored at earlier visits; null reads every sequence anew."""
    checkpoint_every: Count = 500
    """Updates between checkpoints."""
    checkpoint_minutes: Annotated[float, Field(gt=0.0)] | None = None
    """Minutes after which a checkpoint is written whatever the update; null for none but every checkpoint_every."""
    on_nan: Literal["stop", "skip"] = "stop"
    """What is done where a loss or a gradient is NaN or infinite: stop before it reaches the weights, or leave that
    update out."""
    log_every: Count = 50
    """Updates averaged into one row of metrics."""
    select: Literal["best", "last"] = "best"
    """Weights kept as the model: the best on the validation split, or the last (the paper's way)."""
    tensorboard: bool = True
    """Also write TensorBoard logs."""
    budget: Annotated[float, Field(gt=0.0)] | None = None
    """Seconds that training may take; phases, halvings, sampling and growing lags shrink in proportion."""
    budget_scale: float | None = None
    """By what the schedule was shrunk to fit the budget; set by longreach when it does."""

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        if not isinstance(self.model, ModelConfig):
            for key, given in (
                ("auxiliary", bool(self.auxiliary)),
                ("truncation", self.truncation is not None),
                ("recompute_every", self.recompute_every is not None),
                ("stored", self.stored is not None),
            ):
                if given:
                    raise ValueError(
                        f"{key}: network {self.model.network!r} carries no state from step to step; leave {key} out, "
                        "or set model.network to recurrent"
                    )
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

    @model_validator(mode="after")
    def _noise_fits(self) -> RunConfig:
        if self.data.noise and isinstance(self.model, ModelConfig) and self.model.embedding == "lookup":
            raise ValueError(
                "data.noise: expected none with model.embedding 'lookup', which learns a vector for each of 256 "
                f"levels where noise is any number, found {self.data.noise}; set data.noise to 0 or model.embedding to "
                "linear"
            )
        return self

    @model_validator(mode="after")
    def _stored_fits(self) -> RunConfig:
        if self.stored is None:
            return self
        uses = {"truncation": (self.truncation, any(phase.supervised for phase in self.phases))}
        used = any(phase.auxiliary for phase in self.phases)
        uses |= {f"auxiliary.{i}.truncation": (loss.truncation, used) for i, loss in enumerate(self.auxiliary)}
        whole = [key for key, (truncation, is_used) in uses.items() if truncation is None and is_used]
        if whole:
            raise ValueError(
                f"stored: expected a truncation for every loss, found null (full BPTT) in {', '.join(whole)}, "
                "which reads every sequence with gradient from its first step and begins from no state; "
                "give a number of steps, or set stored to null"
            )
        if self.data.noise:
            raise ValueError(
                f"stored: expected sequences that stay as they are from visit to visit, found data.noise "
                f"{self.data.noise}, which is drawn afresh at every update; set data.noise to 0 or stored to null"
            )
        return self

    def with_set(self, assignments: dict[str, Any], option: str = "--set") -> RunConfig:
        """The same run with dotted keys set, such as `model.hidden_size` or `auxiliary.0.weight`; `option` asks for it.

        Raises:
            ConfigError: a key that does not exist or a value that does not fit.
        """
        tree = self.model_dump(mode="json")
        for key, value in assignments.items():
            assign(tree, key, value, option)
        return parse_config(tree, option)

    def with_data_set(self, assignments: dict[str, Any], option: str = "--set") -> RunConfig:
        """The same run with keys of `data` set: label_column, or data.label_column as `train` calls it.

        Raises:
            ConfigError: a key that does not exist or a value that does not fit.
        """
        changes = {f"data.{key.removeprefix('data.')}": value for key, value in assignments.items()}
        return self.with_set(changes, option)

    def to_yaml(self) -> str:
        """The whole run as YAML that `load_config` reads back."""
        return write_yaml(self.model_dump(mode="json"))


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
        raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems(error, _meant))) from None


def _meant(key: str) -> str | None:
    return meant(key, RunConfig)


def parse_saved(tree: Any, where: str) -> RunConfig:
    """A run that was trained once, from plain data.

    Keys of `data` that do nothing with its source were not always refused; what they say is dropped. A T-DMCA that says
    nothing of its convolutions is of the time when it had none.

    Args:
        tree, where: as for `parse_config`.

    Raises:
        ConfigError: all problems at once, each with its key.
    """
    data = tree.get("data") if isinstance(tree, dict) else None
    if isinstance(data, dict):
        idle = idle_keys(str(data.get("source", DataConfig.model_fields["source"].default)))
        tree = {**tree, "data": {key: value for key, value in data.items() if key not in idle}}
    model = tree.get("model") if isinstance(tree, dict) else None
    if isinstance(model, dict) and model.get("network") == "t_dmca":
        tree = {**tree, "model": {"kernels": None, **model}}
    return parse_config(tree, where)


def load_config(path: Path, parse: Callable[[Any, str], RunConfig] = parse_config) -> RunConfig:
    """A run from a YAML file.

    Args:
        path: of the file.
        parse: `parse_saved` for that of a run which was trained.

    Raises:
        ConfigError: no such file, no YAML, or problems in it.
    """
    try:
        # A character more than the most is enough to refuse it.
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the configuration ({error.strerror}); give a YAML file or a recipe's name"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected a YAML text in UTF-8, found other bytes") from None
    try:
        tree = read_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path}: expected keys and values, found {type(tree).__name__}; `longreach recipes NAME` prints an example"
        )
    return parse(tree, str(path))
