"""Which programming language a file is written in, from its bytes.

    python examples/source_language.py [FOLDER...] [--record FILE.json]

The files are those that are here anyway: in the Python installation and on the system. Sequences of unequal length,
read byte by byte; nothing is known of words, keywords or names of files. Files of one folder stand on the same side of
the split, for neighbours resemble each other.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from recording import of_lengths, of_test, save, say
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedGroupKFold

from longreach import LongSequenceClassifier
from longreach.training.record import environment

ENDINGS = {
    "C": (".c",),
    "C++": (".cc", ".cpp", ".cxx", ".hpp", ".cuh"),
    "CMake": (".cmake",),
    "CSS": (".css",),
    "Cython": (".pyx", ".pxd"),
    "Fortran": (".f", ".f90", ".f95"),
    "JavaScript": (".js", ".mjs"),
    "Perl": (".pl", ".pm"),
    "PHP": (".php",),
    "Python": (".py",),
    "Ruby": (".rb",),
    "SQL": (".sql",),
    "Tcl": (".tcl",),
    "Vim script": (".vim",),
    "shell": (".sh", ".bash"),
}
SYSTEM = (sys.base_prefix, sys.prefix, "/usr/share", "/usr/lib", "/usr/include")
LEAST_BYTES = 100
MOST_PER_FOLDER = 20


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folders", nargs="*", type=Path, help="where to look; the system's if none is given")
    asked.add_argument("--bytes", type=int, default=500, help="read of each file, from its beginning (%(default)s)")
    asked.add_argument("--files", type=int, default=1000, help="of each language, at most (%(default)s)")
    asked.add_argument("--least", type=int, default=50, help="files without which a language is left out (%(default)s)")
    asked.add_argument("--epochs", type=int, default=12, help="passes over the training files (%(default)s)")
    asked.add_argument("--cell", default="lstm", help="lstm, gru, mingru or s4d (%(default)s)")
    asked.add_argument("--hidden", type=int, default=64, help="units of the network (%(default)s)")
    asked.add_argument("--recall", type=float, default=5.0, help="weight of recall; 0: labels alone (%(default)s)")
    asked.add_argument("--seed", type=int, default=0, help="of the training; the split has its own (%(default)s)")
    asked.add_argument("--record", type=Path, help="JSON file to write what came out")
    return asked


def main(arguments: Sequence[str] | None = None) -> dict:
    """Find the files, train, test, write down."""
    asked = parser().parse_args(arguments)

    texts, languages, folders = collect(asked.folders or [Path(root) for root in SYSTEM], asked.files, asked.least)
    texts = [text[: asked.bytes] for text in texts]
    # Of five parts with whole folders in them the first is tested on.
    parting = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    train, test = next(parting.split(texts, languages, folders))

    model = LongSequenceClassifier(
        cell=asked.cell,
        hidden_size=asked.hidden,
        recall=asked.recall > 0,
        recall_weight=asked.recall or 1.0,
        max_epochs=asked.epochs,
        batch_size=64,
        early_stopping=True,
        learning_rate=0.008,
        n_jobs=1,
        random_state=asked.seed,
        verbose=1,
    )
    began = time.perf_counter()
    model.fit([texts[i] for i in train], languages[train], groups=folders[train])
    seconds = time.perf_counter() - began

    guesses = model.predict([texts[i] for i in test])
    names = model.classes_.tolist()
    record = {
        "example": "source_language",
        "seed": asked.seed,
        **of_test(confusion_matrix(languages[test], guesses, labels=names).tolist(), names),
        "sizes": {"train": len(train), "test": len(test)},
        "steps": of_lengths([len(texts[i]) for i in train]),
        "updates": model.history_[-1]["update"],
        "best_validation_accuracy": max(row["validation_score"] for row in model.history_),
        "seconds": seconds,
        "settings": {"bytes": asked.bytes, "files": asked.files, "least": asked.least, "epochs": asked.epochs}
        | model.get_params(),
        "environment": environment(),
    }
    say(record)
    save(record, asked.record)
    return record


def collect(roots: Sequence[Path], most: int, least: int) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    """Files of every language that has enough of them, no content twice.

    Args:
        roots: folders to look through.
        most: files of a language.
        least: files without which a language is left out.

    Returns:
        N contents, (N,) languages, (N,) folders.
    """
    by_ending = {ending: language for language, endings in ENDINGS.items() for ending in endings}
    found: dict[str, list[str]] = {language: [] for language in ENDINGS}
    for path in sorted(set(files_below(roots))):
        language = by_ending.get(os.path.splitext(path)[1].lower())
        if language is not None:
            found[language].append(path)
    texts: list[bytes] = []
    languages: list[str] = []
    folders: list[str] = []
    seen: set[bytes] = set()
    for language, paths in found.items():
        # Any of them, and on the same machine the same ones.
        chosen: list[tuple[bytes, str]] = []
        taken: Counter[str] = Counter()
        for path in sorted(paths, key=lambda path: hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()):
            if len(chosen) == most:
                break
            # Two installations of a package have folders of the same name with almost the same files in them.
            folder = "/".join(Path(path).parts[-3:-1])
            text = content(path) if taken[folder] < MOST_PER_FOLDER else None
            if text is not None and text not in seen:
                seen.add(text)
                taken[folder] += 1
                chosen.append((text, folder))
        if len(chosen) >= least:
            texts += [text for text, _ in chosen]
            folders += [folder for _, folder in chosen]
            languages += [language] * len(chosen)
    counts = Counter(languages)
    print(f"{len(texts):,} files: {', '.join(f'{count} {language}' for language, count in counts.items()) or 'none'}")
    if len(counts) < 2:
        raise SystemExit(
            f"expected at least two languages with {least} files each; name more folders, or lower --least"
        )
    return texts, np.array(languages), np.array(folders)


def files_below(roots: Sequence[Path]) -> Iterator[str]:
    """All files that are no links; folders that may not be read are passed over."""
    for root in roots:
        for folder, _, names in os.walk(root):
            yield from (path for name in names if not os.path.islink(path := os.path.join(folder, name)))


def content(path: str) -> bytes | None:
    """The bytes of a file of text; None of what is short, cannot be read, or is no text."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return None
    return text if len(text) >= LEAST_BYTES and b"\0" not in text else None


if __name__ == "__main__":
    main()
