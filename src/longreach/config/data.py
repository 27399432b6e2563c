"""Where the sequences come from, and what is done to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from longreach.config.section import Count, Section


class DataConfig(Section):
    """Where the sequences come from, and how images become sequences."""

    source: Literal["mnist14", "idx", "hub"] = "mnist14"
    """mnist14: bundled; idx: MNIST's four original files; hub: a local Parquet file, image folder or hub name."""
    path: str | None = None
    """Folder, file or hub name; null for the bundled data."""
    resize: Count | None = None
    """Pixels per side; null keeps the images as they are."""
    scan: Literal["rows", "columns", "snake", "bottom_up"] = "rows"
    """Order in which pixels are read."""
    permutation_seed: Annotated[int, Field(ge=0)] | None = None
    """Seed of one fixed permutation of the pixels (pMNIST), its own and never the run's; null for none."""
    noise: Annotated[int, Field(ge=0)] = 0
    """Steps of standard normal noise after every sequence, other noise at every visit in training; 0 for none."""
    train_samples: Count | None = None
    """Training samples used, the first ones; null for all."""
    validation: Annotated[int, Field(ge=0)] = 2_000
    """Training samples held out for validation, stratified by class."""
    validation_seed: int = 0
    """Seed of the validation split, its own and never the run's."""

    @model_validator(mode="after")
    def _path_where_needed(self) -> DataConfig:
        if self.source != "mnist14" and self.path is None:
            raise ValueError(f"data.path: source {self.source!r} needs a path; set data.path to where the data are")
        if self.source == "mnist14" and self.path is not None:
            raise ValueError(
                f"data.path: source 'mnist14' is bundled and takes no path, found {self.path!r}; "
                "set data.source to idx (MNIST's four files) or hub (Parquet, image folder, hub name)"
            )
        return self
