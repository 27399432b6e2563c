"""A memory that was trained beforehand, without labels, on the disk.

A folder of it holds pretrained.json (how data are read, the network, what was trained) and pretrained.safetensors (the
encoder and the recall readout).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from longreach.auxiliary.recall import Recall
from longreach.data.standardisation import Standardisation
from longreach.data.vocabulary import Vocabulary
from longreach.errors import ConfigError, RunError
from longreach.estimator.going_on import ask_up_to
from longreach.estimator.reading import Reader
from longreach.files import replace_file, write_json
from longreach.training.objective import Objective

_FACTS, _WEIGHTS = "pretrained.json", "pretrained.safetensors"
_PARTS = ("classifier.encoder.", "auxiliary.")
_NETWORK = ("cell", "hidden_size", "layers", "chrono", "missing")


@dataclass(frozen=True)
class Pretrained:
    """What an estimator begins with.

    Args:
        path: of its folder, for messages.
        reader: how data are read.
        network: the parameters of the estimator that must be the same.
        horizon: the longest lag that the readout knows, in steps.
        weights: of encoder and readout, by their names in an objective.
        asked: the longest lag that it is asked for from here on, in steps; None for all that it knows.
    """

    path: Path
    reader: Reader
    network: dict[str, Any]
    horizon: int
    weights: dict[str, torch.Tensor]
    asked: int | None = None

    @classmethod
    def load(cls, path: str | Path) -> Pretrained:
        """Read a folder that `save` wrote; reads tensors and plain values alone.

        Raises:
            RunError: no such folder, or one that is broken.
        """
        path = Path(path)
        if not (path / _FACTS).is_file():
            raise RunError(f"{path}: no pretrained memory there; `longreach pretrain DATA --out {path}` makes one")
        try:
            facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
            weights = load_file(path / _WEIGHTS)
            vocabulary, standard = facts["vocabulary"], facts["standardisation"]
            reader = Reader(
                facts["channels"],
                None if vocabulary is None else Vocabulary.from_plain(vocabulary),
                None if standard is None else Standardisation(tuple(standard["mean"]), tuple(standard["std"])),
                facts["network"]["missing"] == "mask",
                None if facts.get("names") is None else tuple(facts["names"]),
            )
            return cls(path, reader, facts["network"], facts["horizon"], weights)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise RunError(f"{path}: the pretrained memory cannot be read ({error}); make it again") from None

    def check(self, settings: dict[str, Any]) -> None:
        """Refuse an estimator with another network.

        Raises:
            ConfigError: every parameter that differs.
        """
        differing = [name for name, value in self.network.items() if settings[name] != value]
        if differing:
            raise ConfigError(
                f"pretrained: {self.path} was trained with "
                + ", ".join(f"{name}={self.network[name]!r}" for name in differing)
                + ", found "
                + ", ".join(f"{name}={settings[name]!r}" for name in differing)
                + "; give the estimator the same"
            )

    def put_into(self, objective: Objective[Any]) -> None:
        """Give an objective the weights, and its readout the lags that are asked for; its head stays as it is."""
        own = objective.state_dict()
        # A readout that was asked for other lags was told them in another way.
        readout = all(loss.horizon == self.horizon for loss in objective.auxiliary)
        known = {
            name: value
            for name, value in self.weights.items()
            if name in own and (readout or name.startswith("classifier."))
        }
        objective.load_state_dict({**own, **known})
        for loss in objective.auxiliary:
            assert isinstance(loss, Recall), "an estimator has no other"
            ask_up_to(loss, self.asked)


def save(
    path: Path, objective: Objective[Any], reader: Reader, settings: dict[str, Any], horizon: int, done: dict[str, Any]
) -> None:
    """Write a folder for `Pretrained.load`.

    Args:
        path: the folder, made here.
        objective: trained.
        reader: how its data were read.
        settings: of the estimator.
        horizon: the longest lag that its readout knows.
        done: facts about the training.
    """
    weights = {name: value.contiguous() for name, value in objective.state_dict().items() if name.startswith(_PARTS)}
    standard = reader.standardisation
    replace_file(path / _WEIGHTS, lambda aside: save_file(weights, aside))
    write_json(
        path / _FACTS,
        {
            "channels": reader.channels,
            "names": reader.names,
            "vocabulary": None if reader.vocabulary is None else reader.vocabulary.plain(),
            "standardisation": None if standard is None else {"mean": standard.mean, "std": standard.std},
            "network": {name: settings[name] for name in _NETWORK},
            "horizon": horizon,
            "training": done,
        },
    )
