"""Whether what the paper says of its tables and figures holds of ours: computed from the records, never typed."""

from __future__ import annotations

from longreach.recipes.paper import PaperTable, Row, Scale
from longreach.report.claim import Claim, Found, Verdict
from longreach.report.figure3_claims import FIGURE3_CLAIMS
from longreach.report.figure5_claims import FIGURE5_CLAIMS
from longreach.report.figure_claims import FIGURE_CLAIMS
from longreach.report.standing import Standing
from longreach.report.table_claims import TABLE_CLAIMS
from longreach.reproduce.records import Results

CLAIMS: tuple[Claim, ...] = (*TABLE_CLAIMS, *FIGURE3_CLAIMS, *FIGURE5_CLAIMS, *FIGURE_CLAIMS)


def verdicts(table: PaperTable, scale: Scale, results: Results) -> list[Verdict]:
    """Every claim on a table or figure, tried on our records at a scale."""
    found = Found(scale, results)
    return [Verdict(claim.said(found), claim.test(found)) for claim in CLAIMS if claim.where == table.name]


def rows_with_records(table: PaperTable, scale: Scale, results: Results) -> list[tuple[Row, Standing]]:
    """Rows that were run to the end, each with where we stand."""
    return [(row, held) for row, held in Found(scale, results).rows(table.name) if held.records]
