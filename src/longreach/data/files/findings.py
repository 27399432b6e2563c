"""What is wrong with data, gathered in one pass and told all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LISTED = 10
"""Findings of one kind that are listed one by one; of the others their number is told."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or looks wrong.

    Args:
        kind: a short name, under which findings are counted.
        text: where it is, what was expected and what found, and one thing that mends it.
        grave: True: training refuses the data; False: it goes on and says so.
    """

    kind: str
    text: str
    grave: bool = True


class Findings:
    """All findings of one reading, in the order in which they were made."""

    def __init__(self) -> None:
        self._listed: dict[str, list[Finding]] = {}
        self._counts: dict[str, int] = {}
        self.grave_count = 0

    def add(self, finding: Finding) -> None:
        """Take note of one; beyond the first `LISTED` of a kind only their number is kept."""
        listed = self._listed.setdefault(finding.kind, [])
        self._counts[finding.kind] = self._counts.get(finding.kind, 0) + 1
        self.grave_count += finding.grave
        if len(listed) < LISTED:
            listed.append(finding)

    def __iter__(self) -> Iterator[Finding]:
        """Those listed, grave kinds first; a kind of which there are more ends with their number."""
        kinds = sorted(self._listed, key=lambda kind: not self._listed[kind][0].grave)
        for kind in kinds:
            listed = self._listed[kind]
            yield from listed
            more = self._counts[kind] - len(listed)
            if more:
                yield Finding(kind, f"{kind}: {more} more of this kind", listed[0].grave)

    def __len__(self) -> int:
        """How many there are, listed or not."""
        return sum(self._counts.values())

    @property
    def grave(self) -> list[str]:
        """The texts of what must be mended."""
        return [finding.text for finding in self if finding.grave]

    @property
    def light(self) -> list[str]:
        """The texts of what should be looked at."""
        return [finding.text for finding in self if not finding.grave]
