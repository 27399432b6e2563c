"""One run in a process of its own: `python -m longreach.reproduce.worker`.

Task: {"config": a RunConfig as plain data, "folder": its run folder, "device": as for `fit`, "memory": bytes or null,
"probe": whether to try one update with a single sequence instead of training}.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
from pathlib import Path
from typing import Any

from longreach.children import receive_task
from longreach.config import RunConfig, parse_config
from longreach.errors import LongreachError, OutOfMemory
from longreach.memory import is_out_of_memory

OUT_OF_MEMORY = 77
"""Status of a process that met the end of its memory and lived to tell."""

CHECKPOINT_MINUTES = 5.0
"""Between checkpoints, where updates are so slow that the configuration's number of them takes longer."""

BUSY = 78
"""Status where another process holds the same run."""


def main() -> int:
    """Train, or probe; status 2 where the user can mend what went wrong."""
    task = receive_task()
    config, folder = parse_config(task["config"], "reproduce"), Path(task["folder"])
    if task["memory"] is not None:
        # Before the limit: a library that finds no room to begin ends the process, and nobody learns why.
        import longreach.training.fit  # noqa: F401

        # Private memory, not address space: PyTorch maps far more of that than it ever touches.
        resource.setrlimit(resource.RLIMIT_DATA, (task["memory"], task["memory"]))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return BUSY
        for stream in (sys.stdout, sys.stderr):
            # Only now: what an earlier process said of this run may be that of one which still holds it.
            with contextlib.suppress(OSError):
                os.ftruncate(stream.fileno(), 0)
        return _work(task, config, folder)


def _work(task: dict[str, Any], config: RunConfig, folder: Path) -> int:
    import torch

    torch.set_num_threads(1)
    try:
        if task["probe"]:
            probe(config, task["device"])
        else:
            train(config, folder, task["device"])
    except OutOfMemory as error:
        print(error, file=sys.stderr)
        return OUT_OF_MEMORY
    except LongreachError as error:
        print(error, file=sys.stderr)
        return 2
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print(error, file=sys.stderr)
        return OUT_OF_MEMORY
    return 0


def train(config: RunConfig, folder: Path, device: str) -> None:
    """Begin a run, or go on with the one that was broken off."""
    from longreach.training.fit import fit
    from longreach.training.run_folder import RunFolder

    resume = (folder / "config.yaml").is_file()
    if config.checkpoint_minutes is None:
        config = config.model_copy(update={"checkpoint_minutes": CHECKPOINT_MINUTES})
    if resume:
        begun = RunFolder(folder).load_config()
        config = config.model_copy(update={"checkpoint_minutes": begun.checkpoint_minutes})
        if config.budget is not None:
            # How often it is evaluated hangs on the device that it began on.
            config = config.model_copy(update={"evaluate_every": begun.evaluate_every})
    fit(config, folder, resume=resume, progress=False, device=device)


def probe(config: RunConfig, device: str) -> None:
    """One update of every phase with a single sequence, the longest.

    Paper: section 4.2.2, "report infeasible whenever a mini-batch of one training example can no longer fit into
    memory".
    """
    import numpy as np
    import torch

    from longreach.training.build import build_objective, build_optimiser
    from longreach.training.datasets import build_datasets

    data = build_datasets(config.data)
    place = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    objective = build_objective(config, data.train).to(place)
    optimiser = build_optimiser(config, objective.parameters())
    batch = data.train.batch(np.array([int(data.train.lengths.argmax())])).to(torch.device(place))
    for update, phase in enumerate(config.phases):
        losses = objective(batch, update, supervised=phase.supervised, auxiliary=phase.auxiliary)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()


if __name__ == "__main__":
    sys.exit(main())
