"""One training in a process of its own, so that its peak memory is its own: `python -m longreach.demo.training_worker`.

Task: {"config": a RunConfig as plain data, "folder": its run folder, "resume": whether a run was begun there}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from longreach.children import receive_task
from longreach.config import parse_config
from longreach.errors import LongreachError


def main() -> int:
    """Train; status 2 where the user can mend what went wrong."""
    task = receive_task()
    import torch

    torch.set_num_threads(1)
    from longreach.training.fit import fit

    try:
        # Memory and time are compared with those of other processes on the same processor.
        fit(
            parse_config(task["config"], "demo"),
            Path(task["folder"]),
            resume=task["resume"],
            progress=False,
            device="cpu",
        )
    except LongreachError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
