"""The sizes of StanfordDogs, where lists of recipes find them without importing what reads images."""

from __future__ import annotations

DOGS_SIZES = (40, 48, 56, 64, 80, 96, 112, 128)
"""Pixels per side. The paper names the first and the last and marks at about 3,000, 9,200 and 12,000 steps, which are
56, 96 and 112 squared. Choice: the others lie evenly between."""
