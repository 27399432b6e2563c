"""What kind of thing a dictionary entry speaks of, from its characters.

    python examples/wordnet_topic.py DATA [--record FILE.json]

DATA is a folder in the form in which DBpedia's 14 classes are distributed: train.csv and test.csv (or .csv.gz) with a
class from 1 on, a title and a text in each row, and classes.txt with the names. The run itself stands in
wordnet_topic.yaml; its folder is what `longreach evaluate`, `predict` and `inspect` take.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from recording import of_run, save, say

from longreach.config import load_config


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("data", type=Path, help="folder with train.csv, test.csv and classes.txt")
    asked.add_argument("--epochs", type=float, help="passes over the training part; those of the YAML if not given")
    asked.add_argument("--seed", type=int, default=0, help="of the training (%(default)s)")
    asked.add_argument("--out", type=Path, help="the run's folder (runs/wordnet-topic-SEED)")
    asked.add_argument("--record", type=Path, help="JSON file to write what came out")
    return asked


def main(arguments: Sequence[str] | None = None) -> dict:
    """Train, test, write down."""
    asked = parser().parse_args(arguments)

    changes = {"seed": asked.seed, "data.path": str(asked.data)}
    if asked.epochs is not None:
        changes["phases.0.epochs"] = asked.epochs
    config = load_config(Path(__file__).with_suffix(".yaml")).with_set(changes)
    record = of_run("wordnet_topic", config, asked.out or Path("runs") / f"wordnet-topic-{asked.seed}")
    say(record)
    save(record, asked.record)
    return record


if __name__ == "__main__":
    main()
