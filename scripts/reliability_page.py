"""Make docs/reliability.md from the records of the harnesses under results/, or with --check tell whether it is up to date.

python scripts/reliability_page.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
_BIN = 10

HEAD = """# What can go wrong, and what then

This page is made by `scripts/reliability_page.py` out of the records of the harnesses that it speaks of.

| promise | how it is tested |
|---|---|
| A training killed at any moment goes on from its last checkpoint and ends with the weights, metrics and record of an \
undisturbed one, bit for bit on a CPU | `scripts/soak.py`; five kills in the checks, a hundred by `make soak` |
| No file is taken for whole that is not: all are written aside, brought to the disk and then named; a checkpoint has a \
checksum and the one before is kept | `tests/training/test_checkpoints.py`: any flipped bit, any cut |
| Ctrl-C and SIGTERM save the update in hand, leave within seconds and say how to go on, on several processes and in the runs of `longreach reproduce` too | \
`tests/cli/test_interrupt.py` |
| A full disk ends a run with what to do, and nothing that was there is lost | `tests/training/test_bad_updates.py`, on a \
small mounted file system |
| NaN and infinity never reach the weights; update, phase, loss and sequences are named; `--on-nan skip` leaves such \
updates out | `tests/training/test_bad_updates.py` |
| Broken files cost one message, no traceback, no waiting, and memory that goes with their size | \
`tests/safety/test_fuzz.py`; a hundred inputs for each reader in the checks, ten thousand by `make fuzz`, and as many \
led by coverage with `scripts/fuzz_atheris.py` |
| No argument of the command line costs a traceback | `tests/safety/test_command_line.py`, as many lines |
| Before training the expected peak memory is said; at its end the settings that lower it are named | \
`tests/training/test_memory.py`; [held against what is taken](scaling.md#memory-foretold) |
| Memory stays as it is over a million pushed steps and ten thousand updates | `scripts/flat_memory.py` |
| Files that unfold to more than 200 times their size (and 64 MiB), arrays and pictures that declare more than there is, \
links and cards that lead out of a data folder, and archives in one are refused by name | \
`tests/safety/test_folders.py` |
| Parquet and Arrow files are read once in a process of their own, with a limit on its memory, before this one reads them: \
pyarrow can be ended by a broken one | `tests/data/files/test_arrow_check.py` |
| A stranger's model, run folder, checkpoint or configuration runs no code, whatever command reads it | \
`tests/cli/test_strangers.py` |
| Pages escape whatever names they show and load nothing from outside; a browser is told to refuse all else | \
`tests/cli/test_pages.py` |
| The same seed on the same machine gives the same record, bit for bit, for every loss, with data workers or without; the \
first losses stand in text files | `tests/training/test_golden.py`, `tests/golden/` |

What is not promised: the same bits on another processor or on a GPU; anything about a disk that tells that it has \
written what it has not; anything about the files of a data set that is named on the hub, which `datasets` fetches and \
reads in this process.
"""

TAIL = """## Beside others

What their documentation says, for what they say it of; a dash where it promises nothing that we found.

| | longreach | Lightning | skorch | scikit-learn |
|---|---|---|---|---|
| training goes on after an interruption | from within a pass over the data, to the same bits | [restores weights, \
optimisers, schedules, loops and callbacks](https://lightning.ai/docs/pytorch/stable/common/checkpointing_basic.html); \
the order of the data as far as the loader keeps it | from weights, optimiser and history, by a \
[callback](https://skorch.readthedocs.io/en/stable/user/save_load.html) | `warm_start` and `partial_fit` of some \
estimators |
| a file's damage is noticed | checksum | - | - | - |
| what is read can run code | runs, models and checkpoints cannot; pickled estimators and torch.export's programs can | checkpoints are pickles; `weights_only=True` where it is asked for | \
[the network by pickle, or its weights alone](https://skorch.readthedocs.io/en/stable/user/save_load.html) | [pickle and joblib can](https://scikit-learn.org/stable/model_persistence.html), as \
its manual warns; ONNX and skops are recommended |
"""


def main() -> int:
    """Write the page or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        if not current:
            print(f"{PAGE}: not what the records make it; run scripts/reliability_page.py", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """The whole page."""
    soak = json.loads((ROOT / "results" / "soak.json").read_text(encoding="utf-8"))
    fuzz = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "results" / "fuzz").glob("*.json"))]
    led = json.loads((ROOT / "results" / "fuzz-atheris.json").read_text(encoding="utf-8"))
    flat = json.loads((ROOT / "results" / "flat-memory.json").read_text(encoding="utf-8"))
    return "\n".join([HEAD, killed(soak), broken(fuzz), led_by_coverage(led), level(flat), TAIL])


def killed(soak: dict[str, Any]) -> str:
    """The soak in tables, with its histogram."""
    kinds = ", ".join(f"{count} in {name!r}" for name, count in soak["trainings"].items())
    lines = [
        "## Killed",
        "",
        f"{soak['kills']} kills by SIGKILL in {soak['runs']} runs ({kinds}), in {soak['seconds'] / 60:.0f} minutes on "
        f"{soak['environment']['processor']}. Every run ended as the undisturbed one.",
        "",
        "| moment | kills |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in sorted(soak["moments"].items())),
        *(f"| of these while `{name}` was written | {count} |" for name, count in sorted(soak["files"].items())),
        "",
        f"By the last update that was saved (pretraining ends at {soak['updates_of_pretraining']}):",
        "",
        "```text",
    ]
    for begin in range(0, soak["updates_of_a_run"] + 1, _BIN):
        count = sum(begin <= update < begin + _BIN for update in soak["updates"])
        lines.append(f"{begin:>4} {'#' * count}")
    return "\n".join([*lines, "```", ""])


def broken(fuzz: list[dict[str, Any]]) -> str:
    """What every reader was given, and what it did."""
    lines = [
        "## Broken files",
        "",
        "Whole files of each kind, changed at one to eight places. Memory is the most that one input took at any moment.",
        "",
        "| reader | inputs | read | refused | most memory, MB | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for one in fuzz:
        lines.append(
            f"| {one['reader']} | {one['inputs']:,} | {one['read']:,} | {one['refused']:,} | "
            f"{one['most_bytes'] / 1e6:.1f} | {one['seconds']:.0f} |"
        )
    found = (
        "Found by it and mended: NumPy headers that are no Python, that declare themselves longer than the file or "
        "arrays larger than memory; shapes that no array can have; recordings and pictures that declare more than there "
        "is; PyTorch's reader of checkpoints failing in ten ways; options of a saved network that make none; YAML that "
        "unfolds without end; empty tables; stored states without their parts; SciPy's reader of MATLAB files, which "
        "crashed the process and is no longer used. By Atheris: a sealed checkpoint of one byte. By the sixtieth kill of a "
        "soak before: half of a file left beside a saved model."
    )
    return "\n".join([*lines, "", found, ""])


def led_by_coverage(found: dict[str, Any]) -> str:
    """What Atheris reached."""
    lines = [
        "The same readers of binary files, with inputs that Atheris changes so that they reach further (branches reached "
        "from whole files and at the end):",
        "",
        "| reader | inputs | reached at first | at the end | seconds |",
        "|---|---|---|---|---|",
        *(
            f"| {one['reader']} | {one['inputs']:,} | {one['reached']:,} | {one['reached_at_the_end']:,} | "
            f"{one['seconds']:.0f} |"
            for one in found["readers"]
        ),
    ]
    return "\n".join([*lines, ""])


def level(found: dict[str, Any]) -> str:
    """Memory over a long time."""
    lines = ["## Memory over a long time", "", "| what | resident, MB | later over earlier, MB |", "|---|---|---|"]
    ways = (
        ("stream", "{:,} single steps pushed"),
        ("training", "a training, as far as update {:,}"),
        ("training, 16 shapes kept", "the same with `ONEDNN_PRIMITIVE_CACHE_CAPACITY=16`, as far as update {:,}"),
    )
    for name, told in ways:
        one = found[name]
        lines.append(
            f"| {told.format(one['until'])} | {one['least_mb']:.1f} to {one['most_mb']:.1f} | {one['grown_mb']:+.1f} |"
        )
    about = (
        "From a tenth of the way on; later and earlier are the largest sizes of the last and the first tenth of that. The "
        "training has recall, reconstruction and prediction at once, with evaluations and checkpoints. oneDNN keeps what it "
        "has prepared for calls of up to 1,024 shapes, and windows near a sequence's ends have many lengths: that is what "
        "grows, ever more slowly, until all shapes are there."
    )
    return "\n".join([*lines, "", about, ""])


if __name__ == "__main__":
    sys.exit(main())
