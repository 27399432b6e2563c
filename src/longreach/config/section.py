"""What all sections of a configuration have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Truncation = Annotated[int, Field(ge=0)] | None
"""Steps; null is full BPTT, 0 lets no gradient through."""


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_digits)]
"""Text; a whole number is its digits, which columns without a name are called by."""

Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class Section(BaseModel):
    """Frozen; unknown keys and numbers that are not finite are refused; the line under a field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
