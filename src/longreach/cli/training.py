"""Commands that train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from longreach.cli.app import Device, Quiet, app
from longreach.errors import ConfigError


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for summary.json, report.html and the runs.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(help="Seed of every run.")] = 0,
) -> None:
    """Train four methods on bundled digits and show what the memory holds. A few minutes on two cores."""
    from longreach.demo.run import run_demo

    run_demo(out, seed)


@app.command()
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name or a YAML file; with --resume it may be left out.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key, such as model.hidden_size=64. Repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/NAME-seedN.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was broken off.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Time that training may take, such as 1h or 90s; schedules shrink in proportion."
        ),
    ] = None,
    on_nan: Annotated[
        str | None, typer.Option(help="stop, or skip updates whose loss or gradient is NaN or infinite.")
    ] = None,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(help="Processes on each machine, one for each device.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, started by torchrun or srun.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Train a recipe or a configuration, and write its run folder."""
    from longreach.commands import assignments, duration, resolve_run

    changes = assignments(set_ or [])
    if seed is not None:
        changes["seed"] = seed
    if budget is not None:
        changes["budget"] = duration(budget)
    if on_nan not in (None, "stop", "skip"):
        raise ConfigError(f"--on-nan: expected stop or skip, found {on_nan!r}")
    if on_nan is not None:
        changes["on_nan"] = on_nan
    config, folder = resolve_run(recipe, changes, out, resume)
    from longreach.training.fit import fit

    record = fit(config, folder, resume=resume, progress=not quiet, device=device, devices=devices, nodes=nodes)
    if devices * nodes > 1:
        from longreach.training.parallel import process_rank

        if process_rank() > 0:
            return
    typer.echo(
        f"{record['name']}: test accuracy {record['test_accuracy']:.4f} after {record['updates']} updates; {folder}"
    )


@app.command()
def tune(
    config: Annotated[Path, typer.Argument(help="A YAML file: run, a recipe or a run; search, what to try by key.")],
    out: Annotated[Path, typer.Option(help="Folder of the study and its runs; an earlier search in it goes on.")],
    trials: Annotated[int, typer.Option(min=1, help="Finished trials wanted in all.")] = 20,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Search for good settings with Optuna, by validation accuracy; stopped at any moment, it goes on later."""
    from longreach.commands import named_run
    from longreach.config.tune import load_search
    from longreach.training.tune import tune as search_settings

    run, search = load_search(config)
    base = named_run(run, config.parent) if isinstance(run, str) else run
    best = search_settings(base, search, out, trials=trials, progress=not quiet, device=device)
    typer.echo(json.dumps(best))


@app.command()
def pretrain(
    data: Annotated[str, typer.Argument(help="Sequences, labelled or not: a file, a folder or a name on the hub.")],
    out: Annotated[Path, typer.Option(help="Folder to write; LongSequenceClassifier(pretrained=...) begins with it.")],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 5,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the estimator, such as hidden_size=128."),
    ] = None,
    data_set: Annotated[
        list[str] | None,
        typer.Option("--data-set", metavar="KEY=VALUE", help="Set how data are read, such as channels_first=true."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order and anchors.")] = 0,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train the memory alone, on sequences without labels; few labels are then enough to fit an estimator."""
    from longreach.commands import assignments
    from longreach.estimator.pretraining import pretrain_files

    done = pretrain_files(
        data,
        out,
        assignments(set_ or [], example="hidden_size=128"),
        epochs=epochs,
        reading=assignments(data_set or [], "--data-set", "channels_first=true"),
        seed=seed,
        device=device,
        verbose=not quiet,
    )
    typer.echo(
        f"recall loss {done['recall']:.4f} after {done['updates']} updates on {done['sequences']} sequences; {out}"
    )
