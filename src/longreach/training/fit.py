"""One run from its configuration to its record."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import TensorBoardLogger

from longreach.config import RunConfig
from longreach.data.loader import SequenceLoader
from longreach.data.sequences import uneven_lengths
from longreach.errors import Interrupted, RunError
from longreach.memory import peak_resident_mb, resident_mb
from longreach.process import denormals_as_zero
from longreach.training.about import about_run
from longreach.training.bookkeeper import PLACES, Bookkeeper
from longreach.training.budget import budget_scale
from longreach.training.build import build_objective, build_stored
from longreach.training.checkpoints import newest_whole, read_checkpoint
from longreach.training.datasets import Datasets, build_datasets
from longreach.training.device import check_device, device_of_work
from longreach.training.engine import make_trainer, quiet_lightning
from longreach.training.evaluate import evaluate_fully
from longreach.training.interruption import Interruption
from longreach.training.memory_told import MemoryWatch
from longreach.training.metrics_file import evaluation_curve
from longreach.training.module import ObjectiveModule
from longreach.training.objective import Objective
from longreach.training.parallel import check_parallel, process_rank, trainer_arguments, trains_all_weights
from longreach.training.phases import Plan, shrink, without_lengths
from longreach.training.progress import Progress, clock
from longreach.training.record import device_mb, environment
from longreach.training.run_folder import RunFolder
from longreach.training.sources import check_effects
from longreach.training.stored_files import StoredFiles
from longreach.training.stream import UpdateStream


@denormals_as_zero()
def fit(
    config: RunConfig,
    out: Path,
    *,
    resume: bool = False,
    progress: bool = True,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
) -> dict[str, Any]:
    """Train, evaluate, save.

    Args:
        config: what to run.
        out: the run folder, made here; with `resume` one that was broken off.
        resume: go on from the folder's last checkpoint, or from the start where there is none yet.
        progress: show it on standard error.
        device: "auto", "cpu" or "cuda".
        devices: processes on each machine, one for each device; they are started by running this program again, unless
            torchrun or SLURM has started them.
        nodes: machines.

    Returns:
        The record, as in record.json. A finished run that is resumed returns its record as it is.

    Raises:
        RunError: the folder holds another run, or cannot be written.
        DataError: data that are missing or broken.
        ConfigError: a device that is not there.
        Diverged: a loss or a gradient became NaN or infinite, and `on_nan` is "stop".
        OutOfMemory: memory is at its end.
        Interrupted: Ctrl-C; the last checkpoint is there to resume from.
    """
    check_device(device, "--device")
    check_parallel(config, devices, nodes)
    rank = process_rank() if devices * nodes > 1 else 0
    progress = progress and rank == 0
    folder = RunFolder(out)
    if resume:
        _check_same_run(config, folder)
        if folder.record.is_file():
            return folder.load_record()
        # How bad numbers are met may change on the way: that is how a run that stopped at one goes on. So may who makes
        # the batches, which are the same ones, and where the data lie, which must be the same too.
        there = folder.load_config()
        data_now = {key: getattr(config.data, key) for key in ("workers", *PLACES)}
        config = there.model_copy(update={"on_nan": config.on_nan, "data": there.data.model_copy(update=data_now)})
        if rank == 0:
            folder.sweep()
    elif rank == 0:
        folder.check_free()
    if not resume:
        check_effects(config.data)
    # Before the folder is made: data that cannot be read leave nothing behind.
    began = time.perf_counter()
    # At the start: the commit is that of the code which runs, not of what it has become meanwhile.
    surroundings = environment(device)
    data = build_datasets(config.data)
    _tell(data, progress)
    objective = build_objective(config, data.train)
    loader = SequenceLoader(
        data.train,
        config.batch_size,
        seed=config.seed,
        shuffle=True,
        # Every process needs a row of every batch.
        drop_last=0 < len(data.train) % config.batch_size < devices * nodes,
        lengths=uneven_lengths(data.train),
        num_workers=config.data.workers,
    )
    per_epoch = len(loader)
    memory_at_start = resident_mb()
    if not resume and rank == 0:
        folder.begin(config)
    evaluate_every = config.evaluate_every or per_epoch
    if config.budget is not None and config.budget_scale is None:
        plan = Plan.make(config, per_epoch)
        scale = budget_scale(config, plan, objective, data, evaluate_every, config.budget, device_of_work(device))
        config = shrink(config, scale, per_epoch)
        # Losses hold their own schedules; the weights are drawn from the same seed again.
        objective = build_objective(config, data.train)
        if progress:
            shrunk = Plan.make(config, per_epoch).updates
            print(
                f"budget of {clock(config.budget or 0.0)}: the schedule times {scale:.2g}, {shrunk:,} of "
                f"{plan.updates:,} updates; testing at the end comes on top",
                file=sys.stderr,
            )
        folder.save_config(config)
    plan = Plan.make(config, per_epoch)
    show = Progress(plan.updates, round(config.batch_size * float(data.train.lengths.mean())), progress)
    monitored = data.monitored(config.monitor)
    fingerprint = data.train.fingerprint()
    stored = build_stored(config, len(data.train), data.train.steps)
    files = None if stored is None else StoredFiles(folder.stored, stored)
    interruption = Interruption()
    keeper = Bookkeeper(
        config, plan, folder, monitored, evaluate_every, show, per_epoch, fingerprint, files, interruption, began
    )
    trainer = make_trainer(
        trainer_arguments(device, devices, nodes, trains_all_weights(config)),
        updates=plan.updates,
        clip=config.optimiser.clip,
        callbacks=[keeper],
        logger=TensorBoardLogger(out, name="tensorboard", version="") if config.tensorboard else False,
        root=out,
    )
    module = ObjectiveModule(objective, config, plan, stored)
    memory = MemoryWatch(config, out, device, -(-config.batch_size // (devices * nodes)))
    if rank == 0:
        memory.look_ahead(objective, data.train, progress)
    checkpoint = newest_whole([folder.last, folder.previous], _say, module.state_dict()) if resume else None
    try:
        with interruption.listening(), quiet_lightning(), memory.named(lambda: trainer.global_step + 1):
            trainer.fit(module, UpdateStream(loader, plan.updates), ckpt_path=checkpoint, weights_only=True)
            keeper.settle(trainer, module)
    except (SystemExit, KeyboardInterrupt):
        # Lightning turns Ctrl-C into an exit of its own, with nothing said; in what is settled after it nobody does.
        raise Interrupted(
            f"{out}: interrupted in update {trainer.global_step + 1}, without saving; go on from the last checkpoint "
            f"with longreach train --resume --out {out}"
        ) from None
    except Interrupted:
        if rank > 0:
            # The first process says it; Lightning kills all of them where one ends with another status than 0.
            raise SystemExit(0) from None
        raise
    except RunError as error:
        raise error if str(error).startswith(str(out)) else type(error)(f"{out}: {error}") from None
    finally:
        show.end()
    if trainer.global_step < plan.updates:
        raise RunError(
            f"{out}: stopped after {trainer.global_step} of {plan.updates} updates; go on with it by --resume"
        )
    if rank > 0:
        trainer.strategy.barrier("results")
        return folder.load_record()
    trained = {
        "updates": plan.updates,
        "parameters": _parameters(objective),
        "seconds_per_update": keeper.seconds_in_updates / plan.updates,
        "resumed_at_updates": keeper.resumed_updates,
        "skipped_updates": module.skipped,
        "peak_memory_mb": peak_resident_mb(),
        "peak_memory_over_start_mb": peak_resident_mb() - memory_at_start,
        "expected_update_memory_mb": memory.expected,
        "peak_device_memory_mb": device_mb(device),
    }
    with _kept_for_later(folder):
        results = _finish(config, folder, objective, data, keeper)
    record = {
        "name": config.name,
        "seed": config.seed,
        **results,
        **trained,
        "seconds": keeper.seconds,
        "budget_seconds": config.budget,
        "budget_scale": config.budget_scale,
        "curves": {part: evaluation_curve(folder.metrics, part) for part in monitored},
        "environment": surroundings,
        "data": {
            "train": fingerprint,
            "test": data.test.fingerprint(),
            "train_size": len(data.train),
            "test_size": len(data.test),
            "channels": data.channels,
            "cells": data.cells,
            "source": data.source,
        },
        "config": config.model_dump(mode="json"),
    }
    with _kept_for_later(folder):
        folder.save_record(record)
    if devices * nodes > 1:
        trainer.strategy.barrier("results")
    return record


@contextmanager
def _kept_for_later(folder: RunFolder) -> Iterator[None]:
    """A disk that does not take the results of a finished training ends the command, and nothing is lost."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{folder.path}: cannot write the results ({error.strerror}); training is over and its last checkpoint is "
            f"there. Mend that, and get them with longreach train --resume --out {folder.path}"
        ) from None


def _tell(data: Datasets, progress: bool) -> None:
    """How files were read, where progress is shown; what looks wrong with them, always."""
    for line in data.told if progress else ():
        print(line, file=sys.stderr)
    for line in data.warnings:
        print(f"warning: {line}", file=sys.stderr)


def _check_same_run(config: RunConfig, folder: RunFolder) -> None:
    """Refuse to go on with a run of another configuration; what a budget changed does not count."""
    there = folder.load_config()
    may_change: dict[str, Any] = {"on_nan": True, "data": {"workers", *PLACES}}
    if there.budget_scale is not None and config.budget_scale is None:
        config, there = without_lengths(config), without_lengths(there)
    asked, found = (tree.model_dump(mode="json", exclude=may_change) for tree in (config, there))
    differing = [key for key in asked if asked[key] != found[key]]
    if differing:
        raise RunError(
            f"{folder.path}: holds a run of another configuration (different: {', '.join(differing)}); "
            "resume it with its own config.yaml, give another folder with --out, or remove this one to start anew"
        )


def _parameters(objective: Objective) -> dict[str, int]:
    def count(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    return {
        "classifier": count(objective.classifier),
        "auxiliary": count(objective.auxiliary),
        "total": count(objective),
    }


def _finish(
    config: RunConfig, folder: RunFolder, objective: Objective, data: Datasets, keeper: Bookkeeper
) -> dict[str, Any]:
    """Test the last and, where there is one, the best weights; save the ones that the run selects."""
    classifier = objective.classifier.eval()
    last = evaluate_fully(classifier, data.test, keeper.last_test_logits)
    results: dict[str, Any] = {"test_last": last}
    selected, chosen = last, "last"
    if "validation" in config.monitor:
        results |= {"best_validation_accuracy": keeper.best_accuracy, "best_update": keeper.best_update}
        if folder.best.is_file():
            last_weights = {name: value.clone() for name, value in objective.state_dict().items()}
            _load_best(objective, folder)
            results["test_best"] = evaluate_fully(classifier, data.test)
            if config.select == "last":
                objective.load_state_dict(last_weights)
            else:
                selected, chosen = results["test_best"], "best"
        else:
            _say(f"{folder.best}: the weights that were best on the validation part are gone; the last ones are taken")
    classifier.about = about_run(config, data, selected, keeper.plan.updates)
    classifier.save_pretrained(folder.model)
    return {"selected": chosen, "test_accuracy": selected["accuracy"], **results}


def _load_best(objective: Objective, folder: RunFolder) -> None:
    try:
        load_weights(objective, folder.best)
    except RunError as error:
        raise RunError(
            f"{error}; training is over and nothing of it is lost: remove this file, and longreach train --resume "
            f"--out {folder.path} takes the last weights instead"
        ) from None


def _say(line: str) -> None:
    print(f"longreach: {line}", file=sys.stderr)


def load_weights(objective: Objective, checkpoint: Path) -> None:
    """Put a checkpoint's weights into an objective."""
    state = read_checkpoint(checkpoint)["state_dict"]
    objective.load_state_dict({name.removeprefix("objective."): value for name, value in state.items()})
