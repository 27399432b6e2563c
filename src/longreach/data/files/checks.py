"""What is looked at in each sequence as it is read, and in all of them together.

Shapes: T steps, C channels, V vocabulary.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from dataclasses import dataclass, field

import numpy as np

from longreach.data.files.findings import Finding, Findings
from longreach.data.files.sample import Form, Sample
from longreach.data.standardisation import is_constant

_LARGEST = float(np.finfo(np.float32).max)
_LEVELS = 256
"""Values in the range of a channel that its number type should at least tell apart."""
_SPIKE = 1_000.0
"""Times what is usual: beside such a value all others are nearly one number once their channel is standardised."""
_SOME = 10
"""Sequences from which on something is usual."""
_MANY = 1_000
"""Sequences that tell what is usual, at most."""
_LEAVE_OUT = "mend the sequence or leave it out"
_LIMITS = {"bytes": 256, "characters": sys.maxunicode + 1}
_MEND_TOKENS = {
    "numbers": "number the tokens from 0, or set data.vocabulary to how many there are",
    "bytes": "write bytes as they are, or read others with data.tokens=numbers",
    "characters": "write the code points of characters, or read others with data.tokens=numbers",
}


@dataclass(eq=False)
class Checks:
    """Looks at one sequence after another, of all parts.

    Args:
        form: what a step is.
        vocabulary: V where tokens are numbers and their number is known; None: counted over the training part.
        findings: where to note what is found.
        gaps: NaN stands for a missing value.
    """

    form: Form
    vocabulary: int | None
    findings: Findings
    gaps: bool = False
    channels: int | None = None
    rate: int | None = None
    lowest: np.ndarray | None = None
    highest: np.ndarray | None = None
    coarsest: np.dtype | None = None
    copies: int = 0
    _ranges: list[np.ndarray] = field(default_factory=list)
    _widest: np.ndarray | None = None
    _farthest: dict[int, str] = field(default_factory=dict)
    _first: str = ""
    _first_copy: str = ""
    _first_with_rate: str = ""
    _seen: dict[bytes, tuple[str, str, str | None]] = field(default_factory=dict)

    def look(self, sample: Sample, part: str) -> np.ndarray | None:
        """Check one sequence.

        Returns:
            (T, C) real values or (T,) tokens that can be stored; None where something must be mended.
        """
        before = self.findings.grave_count
        values = self.shaped(sample)
        if values is None:
            return None
        if len(values) == 0:
            self._grave("empty", sample, f"expected at least 1 step, found none; {_LEAVE_OUT}")
            return None
        self._look_at_channels(sample, values)
        self._look_at_rate(sample)
        if self.form == "real":
            self._look_at_numbers(sample, values)
        else:
            self._look_at_tokens(sample, values)
        if self.findings.grave_count > before:
            return None
        if self.form == "real" and part == "train":
            # These pass over what is missing, where something is not.
            lowest, highest = np.fmin.reduce(values, 0), np.fmax.reduce(values, 0)
            self._look_at_range(sample, lowest, highest)
            self.lowest = lowest if self.lowest is None else np.fmin(self.lowest, lowest)
            self.highest = highest if self.highest is None else np.fmax(self.highest, highest)
            if np.issubdtype(values.dtype, np.floating):
                self.coarsest = max(self.coarsest or values.dtype, values.dtype, key=lambda kind: np.finfo(kind).eps)
        self._look_for_copies(sample, values, part)
        return values

    def look_at_all(self, steps: np.ndarray) -> None:
        """Check what only all training sequences together can tell.

        Args:
            steps: (N,) of each of them.
        """
        if self.copies:
            self.findings.add(
                Finding(
                    "copies",
                    f"training part: expected each sequence once, found {_many(self.copies, 'exact copy')} of others, "
                    f"the first {self._first_copy}; where a part is held out, copies can fall on both sides: leave "
                    "them out",
                    grave=False,
                )
            )
        if self.form != "real" or self.lowest is None or self.highest is None or len(steps) == 0:
            return
        for channel in np.flatnonzero(np.isnan(np.asarray(self.lowest, np.float64))):
            self.findings.add(
                Finding(
                    "empty channel",
                    f"channel {channel}: expected values, found none in any training sequence; leave the channel out",
                    grave=False,
                )
            )
        for channel in np.flatnonzero(is_constant(self.lowest, self.highest)):
            nearly = "" if self.lowest[channel] == self.highest[channel] else " but for what rounding leaves"
            self.findings.add(
                Finding(
                    "constant channel",
                    f"channel {channel}: expected values that vary, found {self.lowest[channel]:g} at every step of "
                    f"every training sequence{nearly}; leave the channel out",
                    grave=False,
                )
            )
        self._look_at_precision()
        self._look_for_spikes()
        channels = len(self.lowest)
        median = float(np.median(steps))
        if channels > 2 and median < channels:
            self.findings.add(
                Finding(
                    "swapped axes",
                    f"axes: expected more steps than channels, found {median:g} steps of {channels} channels; if the "
                    "file has channels before steps, set data.channels_first=true",
                    grave=False,
                )
            )

    def _look_at_range(self, sample: Sample, lowest: np.ndarray, highest: np.ndarray) -> None:
        """Keep how far each channel goes in a sequence, and where one goes farthest."""
        with np.errstate(over="ignore"):
            ranges = highest.astype(np.float64) - lowest
        if len(self._ranges) < _MANY:
            self._ranges.append(ranges)
        widest = np.full(len(ranges), -1.0) if self._widest is None else self._widest
        for channel in np.flatnonzero(ranges > widest):
            self._farthest[int(channel)] = sample.place
        self._widest = np.fmax(widest, ranges)

    def _look_for_spikes(self) -> None:
        """Tell of a sequence in which a channel goes far beyond what is usual."""
        if self._widest is None or len(self._ranges) < _SOME:
            return
        with warnings.catch_warnings():
            # A channel of which there is nothing has no usual range.
            warnings.filterwarnings("ignore", message="All-NaN slice")
            usual = np.nanmedian(np.stack(self._ranges), axis=0)
        for channel in np.flatnonzero((usual > 0) & (self._widest > _SPIKE * usual)):
            self.findings.add(
                Finding(
                    "spikes",
                    f"channel {channel}: expected sequences of about one range, found {self._widest[channel]:g} from "
                    f"lowest to highest in {self._farthest[int(channel)]}, where half of them stay within "
                    f"{usual[channel]:g}; look whether it was measured so",
                    grave=False,
                )
            )

    def _look_at_precision(self) -> None:
        """Tell of channels whose changes were lost beside their offset before the file was written."""
        if self.coarsest is None or self.lowest is None or self.highest is None:
            return
        lowest, highest = (np.asarray(edge, self.coarsest) for edge in (self.lowest, self.highest))
        wide = (highest.astype(np.float64) - lowest) / np.spacing(np.maximum(np.abs(lowest), np.abs(highest)))
        for channel in np.flatnonzero((wide > 0) & (wide < _LEVELS) & ~is_constant(self.lowest, self.highest)):
            self.findings.add(
                Finding(
                    "coarse values",
                    f"channel {channel}: expected at least {_LEVELS} different values from {self.lowest[channel]:.9g} "
                    f"to {self.highest[channel]:.9g}, found that {self.coarsest} can tell {int(wide[channel]) + 1} "
                    "apart there; "
                    + (
                        "leave the channel out"
                        if np.finfo(self.coarsest).eps < 1e-9
                        else "take off a constant before values are written so, or write float64"
                    ),
                    grave=False,
                )
            )

    def shaped(self, sample: Sample) -> np.ndarray | None:
        """The values as (T, C) or (T,) tokens; None, and a finding, where they are of another shape."""
        values = sample.values
        if self.form != "real":
            if values.ndim == 1:
                return values
            self._grave("shape", sample, f"expected (steps,) tokens, found shape {values.shape}; {_LEAVE_OUT}")
            return None
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] == 0:
            self._grave(
                "shape", sample, f"expected (steps,) or (steps, channels), found shape {values.shape}; {_LEAVE_OUT}"
            )
            return None
        return values

    def _look_at_channels(self, sample: Sample, values: np.ndarray) -> None:
        if values.ndim == 1:
            return
        if self.channels is None:
            self.channels, self._first = values.shape[1], sample.place
        elif values.shape[1] != self.channels:
            self._grave(
                "channels",
                sample,
                f"expected {_many(self.channels, 'channel')} as in {self._first}, found {values.shape[1]}; "
                "give all sequences the same channels",
            )

    def _look_at_rate(self, sample: Sample) -> None:
        if sample.rate is None:
            return
        if self.rate is None:
            self.rate, self._first_with_rate = sample.rate, sample.place
        elif sample.rate != self.rate:
            self._grave(
                "sampling rate",
                sample,
                f"expected {self.rate} samples a second as in {self._first_with_rate}, found {sample.rate}; "
                "resample all recordings to one rate",
            )

    def _look_at_numbers(self, sample: Sample, values: np.ndarray) -> None:
        if not np.issubdtype(values.dtype, np.floating):
            return
        wide = values.dtype.itemsize > 4
        if np.isfinite(values).all() and not (wide and np.abs(values).max() > _LARGEST):
            return
        too_large = np.abs(values) > _LARGEST if wide else np.zeros(values.shape, bool)
        for kind, wrong, expected, what, mend in (
            (
                "missing values",
                np.isnan(values),
                "numbers",
                "missing",
                "fill what is missing, leave the sequence out, or train with data.missing=mask",
            ),
            ("infinite values", np.isinf(values), "finite numbers", "infinite", _LEAVE_OUT),
            (
                "too large values",
                too_large & np.isfinite(values),
                f"numbers within ±{_LARGEST:.3g}, which float32 can hold",
                "beyond",
                "divide the channel by a constant",
            ),
        ):
            if wrong.any() and not (self.gaps and kind == "missing values"):
                step, channel = (int(place[0]) for place in np.nonzero(wrong))
                self._grave(
                    kind,
                    sample,
                    f"expected {expected}, found {values[step, channel]:g} at step {step}, channel {channel} "
                    f"({int(wrong.sum())} of {values.size} values are {what}); {mend}",
                )

    def _look_at_tokens(self, sample: Sample, values: np.ndarray) -> None:
        whole = np.issubdtype(values.dtype, np.integer)
        wrong = np.zeros(len(values), bool) if whole else ~(np.isfinite(values) & (values == np.floor(values)))
        limit = _LIMITS.get(self.form, self.vocabulary)
        with np.errstate(invalid="ignore"):
            wrong |= (values < 0) | (values >= (2**31 if limit is None else limit))
        if wrong.any():
            step = int(wrong.argmax())
            highest = "" if limit is None else f" to {limit - 1}"
            above = " or above" if limit is None else ""
            self._grave(
                "tokens",
                sample,
                f"expected whole numbers from 0{highest}{above}, found {values[step]:.7g} at step {step} "
                f"({int(wrong.sum())} of {len(values)} tokens are out of range); {_MEND_TOKENS[self.form]}",
            )

    def _look_for_copies(self, sample: Sample, values: np.ndarray, part: str) -> None:
        digest = hashlib.blake2b(f"{values.dtype.str}{values.shape}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(values).data)
        other = self._seen.setdefault(digest.digest(), (part, sample.place, sample.label))
        other_part, place, label = other
        if other_part == part and place != sample.place:
            self.copies += 1
            self._first_copy = self._first_copy or f"{sample.place} of {place}"
        if other_part != part:
            self.findings.add(
                Finding(
                    "copies across parts",
                    f"{sample.place} ({part}): the same values as {place} ({other_part}); a test on what was trained "
                    "on shows nothing, leave one of them out",
                    grave=False,
                )
            )
        elif label != sample.label and None not in (label, sample.label):
            self.findings.add(
                Finding(
                    "contradicting labels",
                    f"{sample.place}: class {sample.label!r}, and {place} with the same values: class {label!r}; "
                    "correct one of them or leave both out",
                    grave=False,
                )
            )

    def _grave(self, kind: str, sample: Sample, text: str) -> None:
        self.findings.add(Finding(kind, f"{sample.place}: {text}"))


def _many(number: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"
