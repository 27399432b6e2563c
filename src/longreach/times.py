"""Times for reading."""

from __future__ import annotations


def spoken(seconds: float) -> str:
    """A long time in its largest unit: 48 s, 3 min, 1.5 h, 12 days."""
    for size, unit in ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (unit != "days" and seconds >= size):
            amount = seconds / size
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "min" else f"{amount:.1f} {unit}"
    return f"{seconds:.0f} s"
