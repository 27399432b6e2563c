"""docs/streaming.md: its table comes from the committed figures."""

from __future__ import annotations

from pathlib import Path

import streaming_page
from page_tables import filled

ROOT = Path(__file__).resolve().parent.parent


def test_the_table_is_that_of_the_committed_figures() -> None:
    page = (ROOT / "docs" / "streaming.md").read_text(encoding="utf-8")
    assert filled(page, streaming_page.TABLES, ROOT / "benchmarks" / "results") == page
    assert page.count("| LSTM, ") == 6
