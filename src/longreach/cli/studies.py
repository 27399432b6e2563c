"""Commands for many runs: recipes, tables, benchmarks and their pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from longreach.cli.app import app
from longreach.errors import Interrupted


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe as YAML that `train` takes.")] = None,
    scale: Annotated[str, typer.Option(help="Which to list: own, paper, small or all.")] = "all",
    results: Annotated[Path, typer.Option(help="Folder of the records that tell what we found.")] = Path("results"),
) -> None:
    """List the recipes with what is printed and what we found, or print one whole."""
    if name is None:
        from longreach.commands import chosen_list
        from longreach.recipe_list import print_recipes

        print_recipes(results, chosen_list(scale))
    else:
        from longreach.recipes import find_recipe

        typer.echo(find_recipe(name).to_yaml(), nl=False)


@app.command()
def reproduce(
    what: Annotated[
        str, typer.Argument(help="table2 to table6, figure3 to figure6, all of these, or a table of our own.")
    ],
    scale: Annotated[str, typer.Option(help="small: minutes a run; paper: as the paper says, days.")] = "small",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of every run, from 0.")] = 3,
    jobs: Annotated[
        int, typer.Option(min=1, help="Runs side by side on this machine, one thread each; not on a cluster.")
    ] = 1,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Runs by name or pattern. Repeatable.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that holds mnist, cifar10 and so on; by default $LONGREACH_DATA, or data."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("results"),
    work: Annotated[Path, typer.Option(help="Folder of the runs while they go on.")] = Path("runs/reproduce"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory that a run may take, such as 16GB.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time for every run of the paper's scale, such as 2h; its schedule shrinks to fit, and its record is "
            "kept apart.",
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address of a Ray cluster; local starts one on this machine.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what is missing and what it will take, and stop.")] = False,
) -> None:
    """Run what is missing of the paper's tables and figures; stopped at any moment, the same command goes on."""
    from longreach.commands import check_budget, check_cluster, chosen_scale, duration, memory_size
    from longreach.reproduce.attempt import Settings
    from longreach.reproduce.jobs import data_folder, make_jobs, wanted_runs, within_budget
    from longreach.reproduce.records import Results
    from longreach.reproduce.run import make_plan
    from longreach.reproduce.run import reproduce as run_missing
    from longreach.training.device import check_device

    check_cluster(cluster, jobs)
    # What devices a cluster's machines have is not known here.
    check_device(device, "--device", None if cluster is None else ("auto", "cpu", "cuda"))
    limit = None if memory is None else memory_size(memory)
    runs = wanted_runs(what, chosen_scale(scale))
    if budget is not None:
        check_budget(what, scale)
        runs = within_budget(runs, duration(budget), device)
    store = Results(results)
    store.check_free()
    settings = Settings(work.absolute(), device, limit)
    # What a cluster's machines have is not known here; a limit is.
    offered = settings if cluster is None or limit is not None else None
    plan = make_plan(make_jobs(runs, seeds, only or ["*"], data_folder(data)), store, offered)
    for line in plan.lines(jobs):
        typer.echo(line)
    if list_:
        for job in plan.missing:
            typer.echo(f"  {job.folder} {job.title}")
        return
    try:
        failed = run_missing(plan, store, settings, jobs, cluster, typer.echo)
    except KeyboardInterrupt:
        raise Interrupted("reproduce: interrupted; the same command goes on from the last checkpoints") from None
    for job, reason in failed:
        typer.echo(f"{job.folder} {job.title}: {reason}", err=True)
    if failed or plan.no_data:
        raise typer.Exit(1)


@app.command()
def benchmark(
    out: Annotated[Path, typer.Option(help="Folder for benchmark.json and the pictures.")] = Path("benchmark-out"),
    steps: Annotated[
        list[int] | None, typer.Option(metavar="STEPS", help="A length of the sequences. Repeatable.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A method's name; by default all. Repeatable.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Sequences per update.")] = 32,
    hidden: Annotated[int, typer.Option(min=1, help="Units of the LSTM.")] = 128,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Of each process; by default one per core.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed updates of each method at most.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time for the timed updates of one length.")] = 30.0,
) -> None:
    """Time and memory of one update against the length of the sequence, for every method."""
    from longreach.benchmark.command import run_benchmark

    run_benchmark(
        out,
        steps=steps or [],
        methods=method or [],
        batch=batch,
        hidden=hidden,
        device=device,
        threads=threads,
        rounds=rounds,
        seconds=seconds,
    )


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder of the pages.")] = Path("report"),
    benchmark: Annotated[
        Path | None, typer.Option(help="benchmark.json of longreach benchmark, for the bottom of Figure 3.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say which pages are not up to date.")] = False,
) -> None:
    """Write the paper's tables and figures with ours beside them: paper.html, paper.md, and our own tables."""
    from longreach.report.paper_page import outdated_pages, write_report
    from longreach.report.update_times import load_update_times
    from longreach.reproduce.records import Results

    times = None if benchmark is None else load_update_times(benchmark)
    if check:
        for name in (stale := outdated_pages(Results(results), out, times)):
            typer.echo(f"{out / name}: not what the records make it; longreach report writes it anew")
        raise typer.Exit(int(bool(stale)))
    for path in write_report(Results(results), out, times):
        typer.echo(str(path))
