"""The shell's face. Heavy imports happen inside the commands, so that help and lists answer at once."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from longreach.errors import Interrupted, LongreachError, RunError

app = typer.Typer(
    name="longreach",
    help="Train and run recurrent classifiers on sequences too long to backpropagate through.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
_INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended: 128 and the signal's number."""

_Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"longreach {version('longreach')}")
        raise typer.Exit


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass  # Read by main(), which has to know it also where parsing fails.


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
        list[str] | None, typer.Option("--set", help="Set a key, such as --set model.hidden_size=64. Repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/NAME-seedN.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was broken off.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time that training may take, such as 1h or 90s; schedules shrink in proportion.")
    ] = None,
    on_nan: Annotated[
        str | None, typer.Option(help="stop, or skip updates whose loss or gradient is NaN or infinite.")
    ] = None,
    device: _Device = "auto",
    devices: Annotated[int, typer.Option(help="Processes on each machine, one for each device.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, started by torchrun or srun.")] = 1,
    quiet: _Quiet = False,
) -> None:
    """Train a recipe or a configuration, and write its run folder."""
    from longreach.commands import assignments, duration, resolve_run

    changes = assignments(set_ or [])
    if seed is not None:
        changes["seed"] = seed
    if budget is not None:
        changes["budget"] = duration(budget)
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
    device: _Device = "auto",
    quiet: _Quiet = False,
) -> None:
    """Search for good settings with Optuna, by validation accuracy; stopped at any moment, it goes on later."""
    from longreach.config.tune import load_search
    from longreach.recipes import find_recipe
    from longreach.training.tune import tune as search_settings

    run, search = load_search(config)
    base = find_recipe(run) if isinstance(run, str) else run
    best = search_settings(base, search, out, trials=trials, progress=not quiet, device=device)
    typer.echo(json.dumps(best))


@app.command()
def pretrain(
    data: Annotated[str, typer.Argument(help="Sequences, labelled or not: a file, a folder or a name on the hub.")],
    out: Annotated[Path, typer.Option(help="Folder to write; LongSequenceClassifier(pretrained=...) begins with it.")],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 5,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Set a parameter of the estimator, such as hidden_size=128.")
    ] = None,
    data_set: Annotated[
        list[str] | None, typer.Option("--data-set", help="Set how data are read, such as channels_first=true.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, order and anchors.")] = 0,
    device: _Device = "auto",
    quiet: _Quiet = False,
) -> None:
    """Train the memory alone, on sequences without labels; few labels are then enough to fit an estimator."""
    from longreach.commands import assignments
    from longreach.estimator.pretraining import pretrain_files

    settings = {**assignments(set_ or []), "random_state": seed, "device": device, "verbose": 0 if quiet else 1}
    done = pretrain_files(data, out, settings, epochs=epochs, reading=assignments(data_set or []))
    typer.echo(
        f"recall loss {done['recall']:.4f} after {done['updates']} updates on {done['sequences']} sequences; {out}"
    )


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[
        Path | None, typer.Argument(help="Other data of the same kind; by default the run's test set.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test a trained classifier: accuracy, F1, AUROC, loss and confusion matrix."""
    from longreach.commands import print_scores
    from longreach.training.use import evaluate_run

    scores = evaluate_run(run, data)
    typer.echo(json.dumps(scores)) if as_json else print_scores(scores)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="Data of the kind that the run was trained on: images, tables, arrays, .ts, recordings, texts or "
            "bytes. With --stream: a text with one step a line, an .npy file, or - for standard input."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="File to write; by default standard output.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read step by step and print a line after every chunk.")
    ] = False,
    chunk: Annotated[int, typer.Option(help="With --stream: steps between two lines.")] = 100,
    follow: Annotated[
        float | None, typer.Option(help="With --stream: wait this many seconds for a file to grow.")
    ] = None,
) -> None:
    """Name the class of every sequence, one JSON line each; or, with --stream, as a sequence is read."""
    if stream:
        if out is not None:
            raise RunError("predict: --stream prints as it reads; leave --out out, and redirect with > FILE")
        from longreach.training.use_stream import stream_run

        for answer in stream_run(run, data, chunk=chunk, follow=follow):
            typer.echo(json.dumps(answer, allow_nan=False))
        return
    from longreach.training.use import predict_run

    if out is not None and not out.parent.is_dir():
        raise RunError(f"{out}: no folder {out.parent} to write it into; make it or give another file with --out")
    lines = (json.dumps(line, allow_nan=False) for line in predict_run(run, data))
    if out is None:
        for line in lines:
            typer.echo(line)
        return
    from longreach.files import write_text

    text = "".join(f"{line}\n" for line in lines)
    try:
        write_text(out, text)
    except OSError as error:
        raise RunError(f"{out}: cannot write there ({error.strerror}); give another file with --out") from None


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write into; by default the run's own, export/.")] = None,
    form: Annotated[str, typer.Option("--form", help="onnx, torch (a torch.export program) or both.")] = "both",
) -> None:
    """Write the trained classifier for other runtimes, each compared with the model before it is written."""
    from longreach.training.use_export import export_run

    for exported in export_run(run, out, form):
        typer.echo(f"{exported.path}: differs from the model by at most {exported.difference:.1e}")


@app.command()
def check(
    data: Annotated[str, typer.Argument(help="A file, a folder, a name on the hub, or a run's YAML file.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Set a key of data, such as --set label_column=kind. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List everything that is wrong with data, in one pass; status 2 where something must be mended."""
    from dataclasses import asdict

    from longreach.commands import assignments, print_check
    from longreach.training.check import check_data

    report = check_data(data, assignments(set_ or []))
    typer.echo(json.dumps(asdict(report))) if as_json else print_check(report)
    if report.grave:
        raise typer.Exit(2)


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option(help="Page to write; by default the run's inspection.html.")] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Train a readout after the fact though the run has one of its own.")
    ] = False,
    samples: Annotated[int, typer.Option(help="Test sequences looked at, at most.")] = 2_000,
) -> None:
    """Show what the model remembers, what its inputs look like from memory, and where its decisions form."""
    from longreach.report.inspection import inspect_run

    found = inspect_run(run, out, probe=probe, samples=samples)
    typer.echo("\n".join(found.said).replace("\u00a0", " "))
    typer.echo(f"open {found.page}")


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
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side on this machine, one thread each.")] = 1,
    only: Annotated[list[str] | None, typer.Option("--only", help="Runs by name or pattern. Repeatable.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that holds mnist, cifar10 and so on; by default $LONGREACH_DATA, or data."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("results"),
    work: Annotated[Path, typer.Option(help="Folder of the runs while they go on.")] = Path("runs/reproduce"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    memory: Annotated[str | None, typer.Option(help="Memory that a run may take, such as 16GB.")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; local starts one on this machine.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what is missing and what it will take, and stop.")] = False,
) -> None:
    """Run what is missing of the paper's tables and figures; stopped at any moment, the same command goes on."""
    from longreach.commands import chosen_scale, memory_size
    from longreach.reproduce.attempt import Settings
    from longreach.reproduce.jobs import data_folder, make_jobs, wanted_runs
    from longreach.reproduce.records import Results
    from longreach.reproduce.run import make_plan
    from longreach.reproduce.run import reproduce as run_missing

    limit = None if memory is None else memory_size(memory)
    runs = wanted_runs(what, chosen_scale(scale))
    store = Results(results)
    plan = make_plan(make_jobs(runs, seeds, only or ["*"], data_folder(data)), store)
    for line in plan.lines(jobs):
        typer.echo(line)
    if list_:
        for job in plan.missing:
            typer.echo(f"  {job.folder} {job.title}")
        return
    settings = Settings(work.absolute(), device, limit)
    failed = run_missing(plan, store, settings, jobs, cluster, typer.echo)
    for job, reason in failed:
        typer.echo(f"{job.folder} {job.title}: {reason}", err=True)
    if failed or plan.no_data:
        raise typer.Exit(1)


@app.command()
def benchmark(
    out: Annotated[Path, typer.Option(help="Folder for benchmark.json and the pictures.")] = Path("benchmark-out"),
    steps: Annotated[list[int] | None, typer.Option(help="A length of the sequences. Repeatable.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="A method's name; by default all. Repeatable.")] = None,
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


def main() -> None:
    """Run the command line: status 0, or 2 with one message where the user can mend it."""
    debug = "--debug" in sys.argv[1:]
    try:
        result: Any = app(standalone_mode=False)
    except LongreachError as error:
        if debug:
            traceback.print_exc()
        print(f"longreach: {error}", file=sys.stderr)
        sys.exit(_INTERRUPTED if isinstance(error, Interrupted) else 2)
    except (KeyboardInterrupt, typer.Abort):
        _exit_interrupted()
    except OSError as error:
        if error.filename is None:
            raise
        # A place that cannot be looked at: a name that is too long, a folder that others may not enter.
        if debug:
            traceback.print_exc()
        print(f"longreach: {error.filename}: {error.strerror}; give another place, or mend that", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        _exit_on_usage(error)
        raise
    if result == _INTERRUPTED:  # Typer takes Ctrl-C as an exit with this status.
        _exit_interrupted()
    sys.exit(result if isinstance(result, int) else 0)


def _exit_interrupted() -> None:
    print("longreach: interrupted", file=sys.stderr)
    sys.exit(_INTERRUPTED)


def _exit_on_usage(error: Exception) -> None:
    """Print what the argument parser found wrong, as it would by itself."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        sys.exit(code)
