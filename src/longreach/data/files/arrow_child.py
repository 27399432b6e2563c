"""A script that reads Parquet and Arrow files whole, in a process of its own that may die of one.

Its standard input is a JSON list of [kind, path, most]: what pyarrow unpacks of that file may be `most` bytes, and the
process grow by twice that and some. For every file it prints a line of JSON, `{"unpacked": bytes}` or `{"error": why}`.
Nothing of longreach is imported, so that it starts soon.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

_ROOM = 1 << 28
"""Bytes beyond the unpacked ones: threads, what is read at once, what the library loads of itself."""
_ROWS = 1_000
"""Rows of a Parquet file that are unpacked at once."""


def check(kind: str, path: str, most: int) -> dict[str, object]:
    """Read all, look through all, and count."""
    import pyarrow as pa

    total = 0
    try:
        for batch in _parquet(path) if kind == "parquet" else _arrow(path):
            batch.validate(full=True)
            total += batch.nbytes
            if total > most:
                break
    except (MemoryError, pa.ArrowMemoryError):
        return {"unpacked": most + 1}
    # Whatever a broken file makes pyarrow raise is the answer.
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error).strip() or 'no reason given'}"}
    return {"unpacked": total}


def _parquet(path: str) -> Iterator[pyarrow.RecordBatch]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=_ROWS, use_threads=False)


def _arrow(path: str) -> Iterator[pyarrow.RecordBatch]:
    """A stream of batches or, where it is none, a file of them: the order in which `datasets` tries."""
    import pyarrow as pa

    with pa.OSFile(path) as file:
        try:
            reader = pa.ipc.open_stream(file)
        except (OSError, pa.ArrowInvalid):
            whole = pa.ipc.open_file(file)
            yield from (whole.get_batch(at) for at in range(whole.num_record_batches))
            return
        yield from reader


def _limit(most: int) -> None:
    if not os.path.exists("/proc/self/statm"):
        # Elsewhere than on Linux a process is held by the count alone.
        return
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    bytes_ = now + 2 * most + _ROOM
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or bytes_ < hard:
        resource.setrlimit(resource.RLIMIT_AS, (bytes_, hard))


def main() -> int:
    """Check and print."""
    # Before the imports' own pools: the system's allocator takes what it needs and no more.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    tasks = json.load(sys.stdin)
    # What libraries take of themselves is not the files'.
    for kind in {"arrow", *(kind for kind, _, _ in tasks)}:
        importlib.import_module({"parquet": "pyarrow.parquet", "arrow": "pyarrow"}[kind])
    for kind, path, most in tasks:
        _limit(most)
        print(json.dumps(check(kind, path, most)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
