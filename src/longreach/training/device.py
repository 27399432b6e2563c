"""Where work is done: which devices there are, and which one a setting means."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from longreach.errors import ConfigError


def check_device(device: str, setting: str, there: Sequence[str] | None = None) -> None:
    """Refuse a device that is not there.

    Args:
        device: as given.
        setting: its name, for the message.
        there: what there is; None: on this machine.

    Raises:
        ConfigError: with the name of the setting, and the devices there are.
    """
    where = ""
    if there is None:
        there, where = ["auto", "cpu"] + (["cuda"] if torch.cuda.is_available() else []), " on this machine"
    if device not in there:
        raise ConfigError(f"{setting}: expected one of {', '.join(there)}{where}, found {device!r}")


def on_gpu(device: str) -> bool:
    """Whether work on "auto", "cpu" or "cuda" is done on a GPU here."""
    return device != "cpu" and torch.cuda.is_available()


def device_of_work(device: str) -> torch.device:
    """Where the work of "auto", "cpu" or "cuda" is done here."""
    return torch.device("cuda" if on_gpu(device) else "cpu")
