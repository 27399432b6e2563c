"""Where the sequences come from, and what is done to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from longreach.config.section import Count, Section, Text

FILE_SOURCES = ("table", "tables", "arrays", "ts", "audio", "text", "bytes")
"""Sources that are read by `longreach.data.files`."""

SplitSeed = Annotated[int, Field(ge=0, lt=2**32)]
"""As scikit-learn takes it."""

_IMAGE_KEYS = ("resize", "scan", "permutation_seed")
_FILE_KEYS = (
    *("values_columns", "files_column", "files_root"),
    *("label_column", "id_column", "time_column", "split_column", "group_column", "channels_first"),
    *("tokens", "vocabulary", "character_least", "subset", "missing"),
)


def _several(names: Any) -> Any:
    """A single name as a list of one."""
    return (names,) if isinstance(names, str | int) else names


class DataConfig(Section):
    """Where the sequences come from, and how images become sequences."""

    source: Literal[
        "mnist14",
        "idx",
        "hub",
        "cifar10",
        "stanford_dogs",
        "documents",
        "auto",
        "table",
        "tables",
        "arrays",
        "ts",
        "audio",
        "text",
        "bytes",
    ] = "mnist14"
    """mnist14: bundled; idx: MNIST's four original files; hub: a local Parquet file, image folder or hub name; cifar10:
    its original Python batches; stanford_dogs: its original folders; documents: CSV files in the form of DBpedia's,
    character by character. The last three also take files of the hub's schema or a hub name.
    auto: told by the path; table: CSV, JSON lines, Parquet or Arrow, a folder of them or a hub name; tables: a CSV file
    for each sequence, a row a step, in a folder for each class; arrays: .npy, .npz
    or a folder of .npy; ts: the UCR/UEA archive's .ts; audio, text, bytes: folders with a folder for each class."""
    path: Text | None = None
    """Folder, file or hub name (what begins with data/ is never one); null for the bundled data."""
    validation_path: Text | None = None
    """The validation part, where it lies elsewhere; of files and hub tables."""
    test_path: Text | None = None
    """The test part, likewise."""
    values_columns: Annotated[tuple[Text, ...], BeforeValidator(_several)] | None = None
    """Columns of a table, or of CSV files that it names, that hold the sequences; null finds them and says so."""
    files_column: Text | None = None
    """Column of a table that names files, each of which is a sequence: recordings, .npy arrays, CSV files or texts;
    null finds it and says so."""
    files_root: Text | None = None
    """Folder from which these names count, itself counted from that of the table; null for the table's own."""
    label_column: Text | None = None
    """Column of the classes, of images of the hub's schema too; null for label, class, target or y."""
    id_column: Text | None = None
    """Column that tells sequences apart where a row is one step, or names rows that are sequences; null for id and the
    like."""
    time_column: Text | None = None
    """Column by which the steps of a sequence are sorted; null for time and the like."""
    split_column: Text | None = None
    """Column that says train, validation or test; null for split, where there is such a column."""
    group_column: Text | None = None
    """Column, or array of numpy files, that tells which sequences belong together, such as those of one person: parts
    that are held out are whole groups; null: none belong together."""
    channels_first: bool = False
    """Arrays and lists hold (channels, steps) and not (steps, channels)."""
    tokens: Literal["numbers", "characters", "bytes"] | None = None
    """What a step is, where it is no real value; null: characters of text, bytes of bytes, real values of numbers."""
    vocabulary: Count | None = None
    """How many tokens there are, where they are numbers; null for one more than the highest of the training part."""
    character_least: Count = 2
    """How often a character must occur in the training part to be a token of its own; the others are one together."""
    subset: Text | None = None
    """Of a data set on the hub that has several."""
    missing: Literal["error", "mask"] = "error"
    """What becomes of blank cells and NaN among real values: error refuses them; mask reads them as the mean of their
    channel and gives the model a channel more for each that says where they were."""
    resize: Count | None = None
    """Pixels per side; null keeps the images as they are."""
    crops: Count = 1
    """Pictures made of each training image of stanford_dogs: the whole, then parts that hold the dog."""
    extra: Text | None = None
    """Folder of further training images of stanford_dogs, by synset; null for none."""
    scan: Literal["rows", "columns", "snake", "bottom_up"] = "rows"
    """Order in which pixels are read."""
    permutation_seed: Annotated[int, Field(ge=0)] | None = None
    """Seed of one fixed permutation of the pixels (pMNIST), its own and never the run's; null for none."""
    noise: Annotated[int, Field(ge=0)] = 0
    """Steps of standard normal noise after every sequence, other noise at every visit in training; 0 for none."""
    train_samples: Count | None = None
    """Training samples used, the first ones; null for all."""
    validation: Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Training samples held out for validation, stratified by class: how many, or (below 1) which share of them.
    Where the data come with a validation part, that is taken."""
    validation_seed: SplitSeed = 0
    """Seed of the validation split, its own and never the run's."""
    test: Count | Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Samples held out for the test in the same way, where the data come without a test part."""
    test_seed: SplitSeed = 0
    """Seed of the test split, its own and never the run's."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that make training batches ahead, the same ones in the same order; 0: made when they are asked for."""

    @model_validator(mode="after")
    def _path_where_needed(self) -> DataConfig:
        if self.source != "mnist14" and self.path is None:
            raise ValueError(f"data.path: source {self.source!r} needs a path; set data.path to where the data are")
        if self.source == "mnist14" and self.path is not None:
            raise ValueError(
                f"data.path: source 'mnist14' is bundled and takes no path, found {self.path!r}; "
                "set data.source to auto (told by the path), idx (MNIST's four files) or hub (Parquet, image folder, "
                "hub name)"
            )
        elsewhere = {"validation_path": self.validation_path, "test_path": self.test_path}
        for key, value in elsewhere.items():
            if value is not None and self.source not in ("auto", *FILE_SOURCES):
                raise ValueError(f"data.{key}: is for files of sequences, found source {self.source!r}; leave it out")
        if self.source == "stanford_dogs" and self.resize is None:
            raise ValueError("data.resize: the images of stanford_dogs differ in size; set the pixels per side")
        if self.source != "stanford_dogs" and (self.crops != 1 or self.extra is not None):
            raise ValueError(f"data.crops and data.extra: belong to stanford_dogs, found source {self.source!r}")
        if self.group_column is not None and self.group_column == self.label_column:
            raise ValueError(
                f"data.group_column: expected another column than data.label_column, found {self.group_column!r} for "
                "both; groups are held out whole, and of each class some must stay"
            )
        if self.values_columns is not None and len(set(self.values_columns)) < len(self.values_columns):
            raise ValueError(
                f"data.values_columns: expected each column once, found {', '.join(self.values_columns)}; leave out "
                "what comes again"
            )
        if self.missing == "mask" and self.noise:
            raise ValueError(
                f"data.noise: expected none beside data.missing mask, found {self.noise}; it would fall on the "
                "channels that mark gaps as well"
            )
        if problem := self.without_effect:
            raise ValueError(problem)
        return self

    @property
    def without_effect(self) -> str | None:
        """What is set and does nothing with this source; None where there is none, and of `auto` before it is told."""
        return next(
            (
                f"data.{key}: is for {what}, found source {self.source!r}; leave it out"
                for key, what in idle_keys(self.source).items()
                if getattr(self, key) != type(self).model_fields[key].default
            ),
            None,
        )


def idle_keys(source: str) -> dict[str, str]:
    """Keys that do nothing with a source, and what they are for."""
    if source == "auto":
        return {}
    idle = {key: "images" for key in _IMAGE_KEYS if source in (*FILE_SOURCES, "documents")}
    idle |= {key: "files of sequences" for key in _FILE_KEYS if source not in FILE_SOURCES}
    if source in ("tables", "ts", "audio", "text", "bytes"):
        idle["group_column"] = "arrays, and tables of sequences or of names of files"
    if source == "tables":
        several = "tables of several sequences, or of names of files (of a file for each, the folder tells the class)"
        idle |= dict.fromkeys(("label_column", "id_column", "split_column"), several)
        idle |= {"channels_first": "arrays and lists", "subset": "data sets of the hub"}
    if source in FILE_SOURCES and source != "table":
        idle |= {"files_column": "tables", "files_root": "tables"}
    if source == "hub":
        idle.pop("label_column")
    return idle
