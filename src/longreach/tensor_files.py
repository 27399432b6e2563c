"""Tensors on the disk, whole or not there."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from longreach.files import replace_file


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Replace a safetensors file as a whole.

    Raises:
        OSError: the disk does not take it. The library tells of it in an error of its own, by number alone.
    """

    def write(aside: Path) -> None:
        try:
            save_file(tensors, aside, metadata)
        except SafetensorError as error:
            found = re.search(r"os error (\d+)", str(error))
            number = int(found[1]) if found else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from error

    replace_file(path, write)
