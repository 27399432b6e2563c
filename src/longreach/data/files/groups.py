"""Sequences that belong together, such as those of one person: what is wrong with what tells them."""

from __future__ import annotations

from itertools import combinations

from longreach.data.files.findings import Finding, Findings
from longreach.data.files.labels import alike
from longreach.data.files.sample import Sample


def without_group(sample: Sample, told: str) -> Finding:
    """What is said of a sequence of which nobody knows what it belongs to.

    Args:
        sample: the sequence.
        told: what tells the groups, for messages.
    """
    return Finding(
        "missing group",
        f"{sample.place}: expected a group in {told}, found none; where nothing is known of a sequence, give it a "
        "group of its own",
    )


def look_at_groups(parts: dict[str, list[str]], told: str, findings: Findings) -> None:
    """Note groups of which the files have sequences in several parts, and those that may be one.

    Args:
        parts: by name, the group of each sequence.
        told: what tells the groups, for messages.
        findings: where to note what is found.
    """
    for names in alike(set[str]().union(*parts.values())):
        findings.add(
            Finding(
                "groups alike",
                f"{told}: expected names that differ by more than their writing, found "
                f"{' and '.join(map(repr, names))} as groups of their own; write them alike where they are one",
                grave=False,
            )
        )
    for first, second in combinations(parts, 2):
        shared = sorted(set(parts[first]) & set(parts[second]))
        if shared:
            more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
            findings.add(
                Finding(
                    "groups across parts",
                    f"{told}: expected a group in one part alone, found {', '.join(map(repr, shared[:3]))}{more} in "
                    f"{first} and {second}; a test on those that were trained on shows little, move them to one part",
                    grave=False,
                )
            )
