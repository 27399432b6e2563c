"""How a training is started on several processes: here by Lightning, or by torchrun or SLURM on several machines."""

from __future__ import annotations

import os
from typing import Any

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only

from longreach.children import cores
from longreach.config import ModelConfig, RunConfig
from longreach.errors import ConfigError


def process_rank() -> int:
    """This process's place among all, as torchrun, SLURM or Lightning tell it; 0 where it is alone."""
    rank: int = getattr(rank_zero_only, "rank", None) or 0
    return rank


def check_parallel(config: RunConfig, devices: int, nodes: int) -> None:
    """Refuse what cannot be trained on so many processes.

    Raises:
        ConfigError: a number below one, fewer sequences in a batch than processes, a time budget or stored states, or
            several machines that nothing has started processes on.
    """
    for name, number in (("--devices", devices), ("--nodes", nodes)):
        if number < 1:
            raise ConfigError(f"{name}: expected at least 1, found {number}")
    processes = devices * nodes
    if processes == 1:
        return
    if config.batch_size < processes:
        raise ConfigError(
            f"batch_size: expected at least one sequence for each of {processes} processes, found {config.batch_size}"
        )
    if config.budget is not None and config.budget_scale is None:
        raise ConfigError("budget: expected none on several processes, which would each measure another; leave it out")
    if config.stored is not None:
        raise ConfigError(
            "stored: expected no stored states on several processes, which would each know some of them; leave it out"
        )
    if nodes > 1 and not {"RANK", "SLURM_PROCID"} & os.environ.keys():
        raise ConfigError(
            f"--nodes {nodes}: expected to be started on every machine by torchrun or srun, found neither's variables; "
            "docs/scaling.md shows how"
        )


def trains_all_weights(config: RunConfig) -> bool:
    """Whether every update gives every weight a gradient."""
    if not all(phase.supervised and phase.auxiliary for phase in config.phases):
        return False
    # The unitary network learns where it begins, which a window that does not reach it says nothing of.
    learns_its_beginning = isinstance(config.model, ModelConfig) and config.model.cell == "urnn"
    return not learns_its_beginning and (config.truncation != 0 or bool(config.auxiliary))


def trainer_arguments(device: str, devices: int, nodes: int, trains_all: bool) -> dict[str, Any]:
    """What Lightning's trainer is told of devices.

    Args:
        device: "auto", "cpu" or "cuda".
        devices: processes on each machine, one for each device.
        nodes: machines.
        trains_all: whether every update gives every weight a gradient.
    """
    arguments: dict[str, Any] = {"accelerator": device, "devices": devices, "num_nodes": nodes}
    if devices * nodes > 1:
        # Without it a process would wait for gradients that a phase does not compute.
        arguments["strategy"] = "ddp" if trains_all else "ddp_find_unused_parameters_true"
        if device == "cpu" or not torch.cuda.is_available():
            # Several threads in processes side by side collapse.
            torch.set_num_threads(max(1, min(torch.get_num_threads(), cores() // devices)))
    return arguments
