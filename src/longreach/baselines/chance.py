"""Dropout from a generator of the update's own, never from the global one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from longreach.errors import ConfigError


def chance_of(generator: torch.Generator | None, training: bool, device: torch.device) -> torch.Generator | None:
    """What draws on the device where the values are; None where nothing is dropped.

    Args:
        generator: the update's CPU generator; without one nothing is dropped.
        training: outside training nothing is dropped either.
        device: of the values.
    """
    if generator is None or not training:
        return None
    return torch.Generator(device).manual_seed(_seed(generator))


def drop(values: Tensor, probability: float, chance: torch.Generator | None) -> Tensor:
    """Dropout: values are set to zero with this probability, the others scaled so that the mean stays."""
    if chance is None or probability == 0.0:
        return values
    keep = torch.rand(values.shape, generator=chance, device=values.device) >= probability
    return values * (keep.to(values) / (1.0 - probability))


@contextmanager
def global_chance(chance: torch.Generator) -> Iterator[None]:
    """For functions of PyTorch that take no generator: inside, the global one draws what `chance` says."""
    if chance.device.type == "cpu":
        devices, drawing = [], torch.default_generator
    else:
        devices, drawing = [chance.device], torch.cuda.default_generators[chance.device.index]
    with torch.random.fork_rng(devices=devices):
        # Of this one alone: torch.manual_seed would also move those of all other devices.
        drawing.manual_seed(_seed(chance))
        yield


def check_probability(name: str, probability: float) -> None:
    """Refuse what is no probability below one.

    Raises:
        ConfigError: outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ConfigError(f"{name}: expected a probability from 0 to below 1, found {probability}")


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
