"""Arrays out of pickle files without unpickling them: nothing that such a file holds is ever run or even called.

CIFAR's original files are pickles. Python's own unpickler builds whatever objects a file asks for; this one knows plain
containers, and of everything else only the three names by which NumPy writes an array, which it answers with objects of
its own that take notes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from longreach.errors import DataError

_LARGEST_FILE = 1 << 28
"""Bytes; a batch of CIFAR has 31 million. Nothing larger is even read."""

_DIMENSIONS = 8
_UNFINISHED = object()


def read_array_pickle(path: Path) -> Any:
    """The plain containers, texts, numbers and uint8 arrays in a pickle file, of Python 2 or 3.

    Args:
        path: the file.

    Returns:
        What was pickled; texts of Python 2 as bytes.

    Raises:
        DataError: a missing, overlong or broken file, or one that holds anything else.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise DataError(
            f"{path}: expected a pickle of at most {_LARGEST_FILE:,} bytes, found {size:,}; this is no batch of CIFAR"
        )
    content = path.read_bytes()
    try:
        _check_marks(content)
        # From memory, so that a declared length beyond the end reserves nothing.
        tree = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
        return _arrays(tree, {})
    except _RefusedError as error:
        raise DataError(f"{path}: {error}") from None
    # A broken pickle fails in as many ways as there are opcodes.
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: the pickle is broken or cut short ({error}); get the file again") from None
    except (OverflowError, MemoryError, RecursionError) as error:
        raise DataError(f"{path}: the pickle asks for too much ({type(error).__name__}); get the file again") from None


class _RefusedError(Exception):
    """Well-formed, but not what is admitted."""


class _Type:
    """Notes on a NumPy type."""

    def __init__(self, name: Any = None, *_: Any) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name

    def __setstate__(self, state: Any) -> None:
        pass  # Byte order and the like, which a uint8 does not have.


class _Array:
    """Notes on a NumPy array."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _ArrayType:
    """Stands for numpy.ndarray, which a file names and hands to _reconstruct."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name == "_codecs" and global_name == "encode":
            return _latin1  # How protocols 0 to 2 write bytes from Python 3.
        if (module_name, global_name) not in _ADMITTED:
            raise _RefusedError(
                f"expected arrays and plain containers alone, found the name {module_name}.{global_name}, which could "
                "run code; nothing of it was run; get the file from its publisher"
            )
        return _ADMITTED[module_name, global_name]

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("expected arrays and plain containers alone, found a reference to something outside")


def _latin1(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise _RefusedError(f"expected bytes written as latin1, found {encoding!r}")
    return text.encode("latin1")


def _check_marks(content: bytes) -> None:
    """Refuse a numbered note beyond what the file could have written: the unpickler reserves room for that many."""
    most = len(content)
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > most:
            raise _RefusedError(f"the pickle asks for {argument:,} notes in {most:,} bytes; get the file again")
        if opcode.name.startswith("EXT"):
            raise _RefusedError("expected arrays and plain containers alone, found an extension code")


def _arrays(tree: Any, made: dict[int, Any]) -> Any:
    """The same containers with arrays in the place of notes, each made once however often it is referred to."""
    if tree is None or isinstance(tree, (bool, int, float, str, bytes)):
        return tree
    if id(tree) in made:
        if made[id(tree)] is _UNFINISHED:
            raise _RefusedError("expected plain containers, found one that holds itself")
        return made[id(tree)]
    made[id(tree)] = _UNFINISHED
    if isinstance(tree, _Array):
        plain: Any = _array(tree)
    elif isinstance(tree, dict):
        plain = {key: _arrays(value, made) for key, value in tree.items()}
    elif isinstance(tree, (list, tuple)):
        plain = type(tree)(_arrays(value, made) for value in tree)
    else:
        kind = type(tree).__name__.lstrip("_")
        raise _RefusedError(f"expected arrays and plain containers alone, found {kind}")
    made[id(tree)] = plain
    return plain


def _array(notes: _Array) -> np.ndarray:
    state = notes.state
    if not isinstance(state, tuple) or len(state) != 5:
        raise _RefusedError("expected an array as NumPy writes it, found other notes on it")
    _, shape, kind, by_columns, raw = state
    if not isinstance(kind, _Type) or kind.name not in ("u1", "uint8"):
        raise _RefusedError(f"expected arrays of uint8, found {getattr(kind, 'name', kind)!r}")
    sizes = isinstance(shape, tuple) and len(shape) <= _DIMENSIONS and all(type(n) is int and n >= 0 for n in shape)
    if not sizes or by_columns or not isinstance(raw, bytes):
        raise _RefusedError("expected an array of bytes, row by row, found another layout")
    expected = 1
    for n in shape:
        expected *= n
    if expected != len(raw):
        raise _RefusedError(f"expected {expected:,} bytes for an array of shape {shape}, found {len(raw):,}")
    return np.frombuffer(raw, dtype=np.uint8).reshape(shape)
