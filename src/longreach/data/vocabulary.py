"""Which tokens there are, and how text becomes tokens and back.

Shapes: T steps, V vocabulary.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from longreach.errors import DataError

TokenKind = Literal["characters", "bytes", "numbers"]


@dataclass(frozen=True)
class Vocabulary:
    """V tokens, 0 to V - 1. Saved with the model, so that new text is read as the training text was.

    Args:
        kind: "characters": token 0 is any character that is not in `symbols`, token i is `symbols[i - 1]`;
            "bytes": the 256 values of a byte, so that nothing is ever unknown; "numbers": whole numbers that were
            given as such.
        symbols: for characters, each once.
        size: V, for numbers; it follows from the others otherwise.

    Raises:
        DataError: what does not go together.
    """

    kind: TokenKind
    symbols: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(TokenKind):
            raise DataError(f"vocabulary: expected one of {', '.join(get_args(TokenKind))}, found {self.kind!r}")
        if (self.kind == "characters") != bool(self.symbols):
            raise DataError(
                f"vocabulary of {self.kind}: expected {'at least one' if self.kind == 'characters' else 'no'} symbol, "
                f"found {len(self.symbols)}"
            )
        if len(set(self.symbols)) != len(self.symbols):
            symbol, times = Counter(self.symbols).most_common(1)[0]
            raise DataError(f"vocabulary of characters: expected each symbol once, found {symbol!r} {times} times")
        known = {"characters": len(self.symbols) + 1, "bytes": 256}.get(self.kind)
        if known is not None and self.size in (0, known):
            object.__setattr__(self, "size", known)
        elif known is not None or self.size < 1:
            expected = "at least 1 token" if known is None else f"{known} tokens"
            raise DataError(f"vocabulary of {self.kind}: expected {expected}, found {self.size}")

    def __len__(self) -> int:
        """V, the number of tokens."""
        return self.size

    @classmethod
    def of_characters(cls, texts: Iterable[str], least: int = 1) -> Vocabulary:
        """The characters of some texts, the most frequent first.

        Give it the training part only. Choice: the others are token 0 together, never an error, for new text always
        brings new signs; with `least` above 1 the model also meets that token in training.

        Args:
            texts: read once.
            least: how often a character must occur.

        Raises:
            DataError: no character that occurs so often.
        """
        return cls.of_code_points((code_points(text) for text in texts), least)

    @classmethod
    def of_code_points(cls, parts: Iterable[np.ndarray], least: int = 1) -> Vocabulary:
        """The same from code points.

        Args:
            parts: of any integers, one after the other.
            least: how often a character must occur.

        Raises:
            DataError: no character that occurs so often.
        """
        counts: Counter[int] = Counter()
        for part in parts:
            points, times = np.unique(part, return_counts=True)
            counts.update(dict(zip(points.tolist(), times.tolist(), strict=True)))
        # Equal counts in the order of the code points: the same texts in another order give the same tokens.
        symbols = sorted((s for s in counts if counts[s] >= least), key=lambda s: (-counts[s], s))
        if not symbols:
            raise DataError(f"vocabulary: expected at least one character that occurs {least} times, found none")
        return cls("characters", "".join(map(chr, symbols)))

    def encode(self, text: str | bytes) -> np.ndarray:
        """Text as tokens: bytes of a text are those of its UTF-8.

        Args:
            text: T characters or bytes; bytes for a vocabulary of characters are taken as UTF-8.

        Returns:
            (T,) tokens: uint8 for bytes, int32 for characters.

        Raises:
            DataError: a vocabulary of numbers, or bytes that are no UTF-8 where characters are wanted.
        """
        if self.kind == "numbers":
            raise DataError("vocabulary of numbers: expected tokens as whole numbers, found text; give numbers")
        if self.kind == "bytes":
            raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            return np.frombuffer(raw, dtype=np.uint8)
        if isinstance(text, bytes):
            try:
                text = text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"text: expected UTF-8, found byte 0x{text[error.start]:02x} at {error.start}; "
                    "convert it, or read it as bytes"
                ) from None
        return self.encode_points(code_points(text))

    def encode_points(self, points: np.ndarray) -> np.ndarray:
        """Code points as tokens of a vocabulary of characters: (T,) integers -> (T,) int32."""
        known = code_points(self.symbols)
        order = known.argsort()
        places = np.searchsorted(known[order], points).clip(max=len(known) - 1)
        found = known[order][places] == points
        return np.where(found, order[places] + 1, 0).astype(np.int32)

    def decode(self, tokens: np.ndarray) -> str:
        """Tokens as text, for reading: U+FFFD stands for what is unknown or no UTF-8; numbers are parted by spaces."""
        if self.kind == "bytes":
            return np.asarray(tokens, dtype=np.uint8).tobytes().decode("utf-8", "replace")
        if self.kind == "characters":
            return "".join("\ufffd" if token == 0 else self.symbols[token - 1] for token in tokens)
        return " ".join(str(int(token)) for token in tokens)

    def digest(self) -> str:
        """64 hexadecimal digits that tell vocabularies apart."""
        return hashlib.sha256(f"{self.kind};{self.size};{self.symbols!r}".encode("utf-8", "surrogatepass")).hexdigest()

    def plain(self) -> dict[str, Any]:
        """As plain data, for a model's config.json."""
        return {"kind": self.kind, "symbols": self.symbols, "size": self.size}

    @classmethod
    def from_plain(cls, tree: Mapping[str, Any]) -> Vocabulary:
        """Back from `plain`.

        Raises:
            DataError: something else.
        """
        expected = {"kind": str, "symbols": str, "size": int}
        if set(tree) != set(expected) or not all(isinstance(tree[key], kind) for key, kind in expected.items()):
            raise DataError(f"vocabulary: expected kind, symbols and size, found {dict(tree)!r}")
        return cls(**tree)


def code_points(text: str) -> np.ndarray:
    """(T,) uint32, one for each character; a lone surrogate stays what it is."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
