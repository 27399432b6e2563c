"""Where the sequences come from, and what is done to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from longreach.config.section import Count, Section


class DataConfig(Section):
    """Where the sequences come from, and how images become sequences."""

    source: Literal["mnist14", "idx", "hub", "cifar10", "stanford_dogs", "documents"] = "mnist14"
    """mnist14: bundled; idx: MNIST's four original files; hub: a local Parquet file, image folder or hub name; cifar10:
    its original Python batches; stanford_dogs: its original folders; documents: CSV files in the form of DBpedia's,
    character by character. The last three also take files of the hub's schema or a hub name."""
    path: str | None = None
    """Folder, file or hub name; null for the bundled data."""
    resize: Count | None = None
    """Pixels per side; null keeps the images as they are."""
    crops: Count = 1
    """Pictures made of each training image of stanford_dogs: the whole, then parts that hold the dog."""
    extra: str | None = None
    """Folder of further training images of stanford_dogs, by synset; null for none."""
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
        if self.source == "stanford_dogs" and self.resize is None:
            raise ValueError("data.resize: the images of stanford_dogs differ in size; set the pixels per side")
        if self.source != "stanford_dogs" and (self.crops != 1 or self.extra is not None):
            raise ValueError(f"data.crops and data.extra: belong to stanford_dogs, found source {self.source!r}")
        pixels = {"resize": self.resize, "permutation_seed": self.permutation_seed}
        given = [key for key, value in pixels.items() if value is not None]
        if self.source == "documents" and given:
            raise ValueError(f"data.{given[0]}: is for images, and 'documents' are texts; leave it out")
        return self
