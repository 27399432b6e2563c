"""Pages whose tables are made from records: what the scripts of single pages share.

A place for a table is `<!-- table: NAME -->`, a line to itself, up to `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

Tables = Mapping[str, Callable[[Path], str]]
"""What makes each table from the folder of the records."""


def filled(text: str, tables: Tables, records: Path) -> str:
    """The page with its tables made anew."""
    for name, make in tables.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        assert pattern.search(text), f"no place for the table {name}"
        table = make(records)
        text = pattern.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


def write_or_check(page: Path, tables: Tables, records: Path) -> int:
    """Write the page's tables, or with --check compare them: the status to end with."""
    before = page.read_text(encoding="utf-8")
    after = filled(before, tables, records)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    page.write_text(after, encoding="utf-8")
    return 0
