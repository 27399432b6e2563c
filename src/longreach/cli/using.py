"""Commands that use what was trained, and look at data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from longreach.cli.app import DataSet, app, local_or_named
from longreach.errors import RunError


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[
        Path | None,
        typer.Argument(help="Other data of the same kind; by default the run's test set.", parser=local_or_named),
    ] = None,
    set_: DataSet = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test a trained classifier: accuracy, F1, AUROC, loss and confusion matrix."""
    from longreach.commands import assignments, print_scores
    from longreach.training.use import evaluate_run

    scores = evaluate_run(run, data, assignments(set_ or [], example="label_column=kind"), _tell)
    typer.echo(json.dumps(scores)) if as_json else print_scores(scores)


def _tell(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="Data of the kind that the run was trained on: images, tables, arrays, .ts, recordings, texts or "
            "bytes. With --stream: a text with one step a line, an .npy file, or - for standard input.",
            parser=local_or_named,
        ),
    ],
    set_: DataSet = None,
    out: Annotated[Path | None, typer.Option(help="File to write; by default standard output.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read step by step and print a line after every chunk.")
    ] = False,
    chunk: Annotated[int | None, typer.Option(help="With --stream: steps between two lines, by default 100.")] = None,
    follow: Annotated[
        float | None, typer.Option(help="With --stream: wait this many seconds for a file to grow.")
    ] = None,
) -> None:
    """Name the class of every sequence, one JSON line each; or, with --stream, as a sequence is read."""
    if stream:
        if out is not None:
            raise RunError("predict: --stream prints as it reads; leave --out out, and redirect with > FILE")
        if set_:
            raise RunError("predict: --stream reads bare steps, as `longreach predict --help` says; leave --set out")
        from longreach.training.use_stream import stream_run

        for answer in stream_run(run, data, chunk=100 if chunk is None else chunk, follow=follow):
            typer.echo(json.dumps(answer, allow_nan=False))
        return
    for name, value in (("--chunk", chunk), ("--follow", follow)):
        if value is not None:
            raise RunError(f"predict: {name} is for sequences read step by step; give --stream too, or leave it out")
    from longreach.commands import assignments
    from longreach.training.use import predict_run

    if out is not None:
        _check_out(out, data)
    answers = predict_run(run, data, assignments(set_ or [], example="label_column=kind"), _tell)
    lines = (json.dumps(line, allow_nan=False) for line in answers)
    if out is None:
        for line in lines:
            typer.echo(line)
        return
    from longreach.files import write_text

    text = "".join(f"{line}\n" for line in lines)
    try:
        # A link stays one, and a pipe or a device cannot be replaced by a file.
        replaced = out.is_file() or not out.exists()
        write_text(out.resolve(), text) if replaced else out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{out}: cannot write there ({error.strerror}); give another file with --out") from None


def _check_out(out: Path, data: Path) -> None:
    """Refuse a file that cannot be made, or that belongs to the data that are read."""
    if not out.parent.is_dir():
        raise RunError(f"{out}: no folder {out.parent} to write it into; make it or give another file with --out")
    if data.exists() and (out.resolve() == data.resolve() or data.resolve() in out.resolve().parents):
        raise RunError(f"{out}: belongs to the data that are read, {data}; give another file with --out")


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
    set_: DataSet = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List everything that is wrong with data, in one pass; status 2 where something must be mended."""
    from dataclasses import asdict

    from longreach.commands import assignments, print_check
    from longreach.training.check import check_data

    report = check_data(data, assignments(set_ or [], example="label_column=kind"))
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
    set_: DataSet = None,
) -> None:
    """Show what the model remembers, what its inputs look like from memory, and where its decisions form."""
    from longreach.commands import assignments
    from longreach.report.inspection import inspect_run

    changes = assignments(set_ or [], example="path=FOLDER")
    found = inspect_run(run, out, probe=probe, samples=samples, changes=changes)
    typer.echo("\n".join(found.said).replace("\u00a0", " "))
    typer.echo(f"open {found.page}")
