"""A set of the UCR/UEA archive of time series, read from its .ts files.

    python examples/ucr.py SET [--record FILE.json]

SET is the name of one that comes with aeon, such as GunPoint or JapaneseVowels, or a folder that holds SET_TRAIN.ts and
SET_TEST.ts. Of aeon nothing but these files is used, so `pip install --no-deps aeon` is enough. The run itself stands
in ucr.yaml.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from recording import of_run, save, say

from longreach.config import load_config


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("set", help="name of a set that aeon brings, or folder with its two .ts files")
    asked.add_argument("--updates", type=int, help="of the training; those of the YAML if not given")
    asked.add_argument("--seed", type=int, default=0, help="of the training (%(default)s)")
    asked.add_argument("--out", type=Path, help="the run's folder (runs/ucr-SET-SEED)")
    asked.add_argument("--record", type=Path, help="JSON file to write what came out")
    return asked


def main(arguments: Sequence[str] | None = None) -> dict:
    """Train, test, write down."""
    asked = parser().parse_args(arguments)

    folder = place(asked.set)
    train, test = (folder / f"{folder.name}_{part}.ts" for part in ("TRAIN", "TEST"))
    changes = {"seed": asked.seed, "name": f"ucr-{folder.name}", "data.path": str(train), "data.test_path": str(test)}
    if asked.updates is not None:
        changes["phases.0.updates"] = asked.updates
    config = load_config(Path(__file__).with_suffix(".yaml")).with_set(changes)
    record = of_run(config.name, config, asked.out or Path("runs") / f"{config.name}-{asked.seed}")
    say(record)
    save(record, asked.record)
    return record


def place(name: str) -> Path:
    """The folder of a set: the one of this name, or aeon's."""
    if Path(name).is_dir():
        return Path(name).resolve()
    # Found, not imported: aeon's own dependencies need not be there.
    aeon = find_spec("aeon")
    if aeon is None or not aeon.submodule_search_locations:
        raise SystemExit(
            f"{name}: no such folder, and no aeon to look into; pip install --no-deps aeon, or name a folder that "
            "holds SET_TRAIN.ts and SET_TEST.ts"
        )
    sets = Path(aeon.submodule_search_locations[0]) / "datasets" / "data"
    if not (sets / name).is_dir():
        there = ", ".join(sorted(folder.name for folder in sets.iterdir() if folder.is_dir()))
        raise SystemExit(f"{name}: no such folder, and none of aeon's sets: {there}")
    return sets / name


if __name__ == "__main__":
    main()
