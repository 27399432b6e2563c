"""Broken files that are led by what code they reach: Atheris on the binary readers.

    python scripts/fuzz_atheris.py [--runs 10000] [--only READER]... [--out results/fuzz-atheris.json]

The readers are those of `tests/safety/fuzzed_readers.py`. `test_fuzz.py` breaks files blindly; here libFuzzer changes
them, and keeps what reached lines of longreach that were not reached before. Each reader runs in a process of its own.
Anything but a result or an error in our words ends it with status 1 and shows the file; so does an input that takes ten
seconds or 2 GB. Needs `pip install atheris` (Linux, Python up to 3.13).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "safety"))
NAMES = (
    *("idx", "idx packed", "ts", "cifar10", "pickle of arrays", "npy", "npz", "stream of npy"),
    *("model's config", "model's weights", "baseline's config", "checkpoint", "checkpoint with its checksum"),
)
MOST_SECONDS = 10.0
LONGEST = 4_096
"""Bytes of an input at most; pictures in CIFAR's files have 3,072 each."""


def fuzz(name: str, runs: int) -> None:
    """Lead one reader in this process, which libFuzzer ends."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["longreach"]):
        from fuzzed_readers import READERS
    reader = READERS[name]
    from longreach.errors import LongreachError

    with tempfile.TemporaryDirectory() as folder:
        corpus, place = Path(folder) / "corpus", Path(folder) / "in"
        corpus.mkdir()
        place.mkdir()
        import os

        os.chdir(folder)
        for number, content in enumerate(reader.whole()):
            (corpus / str(number)).write_bytes(content)
        done = 0

        def one_input(data: bytes) -> None:
            nonlocal done
            # A path of its own: some libraries remember what they read at one.
            path = place / str(done) / reader.file
            path.parent.mkdir()
            path.write_bytes(data)
            done += 1
            began = time.perf_counter()
            try:
                reader.read(path)
            except LongreachError:
                pass
            finally:
                for file in path.parent.iterdir():
                    file.unlink()
                path.parent.rmdir()
            assert time.perf_counter() - began < MOST_SECONDS, f"takes too long: {data!r}"

        options = [f"-runs={runs}", f"-max_len={LONGEST}", "-timeout=3600", "-rss_limit_mb=2048", "-seed=1"]
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], one_input)
        atheris.Fuzz()


def main() -> int:
    """Every reader in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--only", action="append", choices=NAMES)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help="this reader alone, in this process")
    chosen = parser.parse_args()
    if chosen.one:
        fuzz(chosen.one, chosen.runs)
        return 0
    from longreach.files import write_json
    from longreach.training.record import environment

    results, failed = [], False
    for name in chosen.only or NAMES:
        began = time.perf_counter()
        command = [sys.executable, __file__, "--one", name, "--runs", str(chosen.runs)]
        # What never ends is ended from here: libFuzzer's own alarm does not get along with Python's handlers.
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=3_600)
        lines = run.stderr.splitlines()
        reached = [int(found[1]) for line in lines if (found := re.search(r"\bcov: (\d+)", line))]
        done = [int(found[1]) for line in lines if (found := re.search(r"^Done (\d+) runs", line))]
        print(f"{name}: status {run.returncode}, {done}, reached {reached[-1:]}", flush=True)
        if run.returncode or not done:
            print("\n".join(lines[-40:]))
            failed = True
            continue
        seconds = round(time.perf_counter() - began, 1)
        results.append(
            {"reader": name, "inputs": done[0], "reached": reached[0], "reached_at_the_end": reached[-1]}
            | {"seconds": seconds}
        )
    if chosen.out and not failed:
        write_json(chosen.out, {"environment": environment(), "readers": results})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
