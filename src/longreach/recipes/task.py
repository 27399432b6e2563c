"""What the methods are compared on: data, lengths and the schedule, at the paper's scale and at one for small machines.

Every recipe of the paper is made of one of these and of one method of `recipes.method`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from longreach.config import DataConfig, ModelConfig, OptimiserConfig, PhaseConfig
from longreach.data.dogs_sizes import DOGS_SIZES


@dataclass(frozen=True)
class Schedule:
    """How long everything lasts, in one unit.

    Args:
        unit: "epochs" or "updates".
        pretraining: on the auxiliary losses alone; the learning rate is halved half-way.
        total: with pretraining.
        halve_every: distance of halvings after pretraining.
        learning_rate: at the start of either phase.
        alone: length of a run without pretraining; None: `total`.
    """

    unit: str
    pretraining: float
    total: float
    halve_every: float
    learning_rate: float = 0.001
    alone: float | None = None

    def pretrain(self) -> PhaseConfig:
        """The phase on the auxiliary losses alone."""
        return self._phase("pretrain", self.pretraining, self.pretraining / 2).model_copy(update={"supervised": False})

    def joint(self, pretrained: bool, auxiliary: bool = True) -> PhaseConfig:
        """The phase with the classifier's loss, what is left after pretraining where there was one."""
        whole = self.total if self.alone is None else self.alone
        length = self.total - self.pretraining if pretrained else whole
        phase = self._phase("joint" if auxiliary else "supervised", length, self.halve_every)
        return phase.model_copy(update={"auxiliary": auxiliary})

    def _phase(self, name: str, length: float, halve_every: float) -> PhaseConfig:
        lasting = {"epochs": length} if self.unit == "epochs" else {"updates": round(length)}
        return PhaseConfig(
            name=name, schedule="halving", halve_every=halve_every, learning_rate=self.learning_rate, **lasting
        )


@dataclass(frozen=True)
class Task:
    """Data, network and schedule of a comparison.

    Args:
        name: begins the names of its recipes.
        data: the sequences.
        truncation: K of a truncated run, in steps, of the classifier and before every anchor.
        length: l of the one segment, in tokens.
        schedule: phases.
        sampling_updates: over which scheduled sampling falls to no truth.
        model: the recurrent classifier.
        optimiser: how weights move.
        batch_size: sequences per update.
        decoder_head: hidden units of the decoder's head.
        decoder_drop_connect: on the second layer of the decoder's head.
        joint_losses: whether the auxiliary losses go on after pretraining.
        evaluate_every: updates between evaluations; None: one epoch.
        monitor: parts evaluated along the way.
        budget: seconds that training may take; None: as long as the schedule lasts.
    """

    name: str
    data: DataConfig
    truncation: int
    length: int
    schedule: Schedule
    sampling_updates: int
    model: ModelConfig
    optimiser: OptimiserConfig
    batch_size: int
    decoder_head: int = 256
    decoder_drop_connect: float = 0.5
    joint_losses: bool = True
    evaluate_every: int | None = None
    monitor: tuple[str, ...] = ("train", "test")
    budget: float | None = None


# ---------------------------------------------------------------------------------------------- the paper's scale

PAPER = Schedule("epochs", pretraining=100, total=1_000, halve_every=300)
"""Paper: section 4.1. Choice: the 1,000 epochs count pretraining in."""

PAPER_DOGS = Schedule("epochs", pretraining=20, total=120, halve_every=300, alone=100)
"""Paper: section 4.2.2, "all models are evaluated after 100 epochs of training, with an additional 20 epochs of
pretraining for models with auxiliary loss"."""

_PAPER_MODEL = ModelConfig(initialisation="glorot")
_PAPER_OPTIMISER = OptimiserConfig(name="rmsprop_tf", clip=None)


def _paper(name: str, data: DataConfig, schedule: Schedule = PAPER, truncation: int = 300, length: int = 600) -> Task:
    """Paper: section 4.1. RMSProp, batch 128, LSTM and embedding of 128, no validation part."""
    return Task(
        name=name,
        data=data,
        truncation=truncation,
        length=length,
        schedule=schedule,
        sampling_updates=100_000,
        model=_PAPER_MODEL,
        optimiser=_PAPER_OPTIMISER,
        batch_size=128,
    )


MNIST = _paper("mnist", DataConfig(source="idx", path="data/mnist", validation=0))
PMNIST = replace(MNIST, name="pmnist", data=MNIST.data.model_copy(update={"permutation_seed": 0}))
CIFAR10 = _paper("cifar10", DataConfig(source="cifar10", path="data/cifar10", validation=0))
DBPEDIA = replace(
    _paper("dbpedia", DataConfig(source="documents", path="data/dbpedia", validation=0), truncation=100, length=300),
    joint_losses=False,
)
"""Paper: section 4.4. No joint training; truncated to 100; l = 300."""

DOGS_CROPS = 12
"""Pictures of each training image: 144,000 of 12,000 images, where the paper has 150,000. Choice: see `data.dogs`."""


def dogs(size: int) -> Task:
    """StanfordDogs at one of the eight sizes."""
    data = DataConfig(source="stanford_dogs", path="data/stanford-dogs", resize=size, crops=DOGS_CROPS, validation=0)
    return _paper(f"dogs{size}", data, PAPER_DOGS)


# ----------------------------------------------------------------------------------------------- the small scale

SMALL_SCHEDULE = Schedule("updates", pretraining=700, total=4_000, halve_every=1_200, learning_rate=0.002)
"""A sixth of it pretraining, as with StanfordDogs; halved after the same shares as in the paper."""

SMALL_DIGITS_BUDGET = 600.0
"""Seconds for every method and length of Figure 3, so that methods meet at equal time."""


def _small(name: str, data: DataConfig, truncation: int, length: int, **other: object) -> Task:
    """H = 64 and batch 32.

    Choice: Adam at 0.002, clipped at 1, as a hundredth of the paper's updates has to do; a decoder's head of 64 units
    and no drop-connect in it, which with one output is mostly noise. Scheduled sampling falls over the share of all
    updates that it has in the paper on MNIST, 100,000 of 469,000.
    """
    task = Task(
        name=name,
        data=data,
        truncation=truncation,
        length=length,
        schedule=SMALL_SCHEDULE,
        sampling_updates=850,
        model=ModelConfig(hidden_size=64, embedding_size=64),
        optimiser=OptimiserConfig(),
        batch_size=32,
        decoder_head=64,
        decoder_drop_connect=0.0,
        evaluate_every=400,
    )
    return replace(task, **other)  # type: ignore[arg-type]


MNIST14 = _small("small-mnist14", DataConfig(validation=0), truncation=75, length=150)
"""MNIST pooled to 14 x 14: 196 steps; 75 of them are to 196 what 300 are to 784."""

PMNIST14 = replace(MNIST14, name="small-pmnist14", data=MNIST14.data.model_copy(update={"permutation_seed": 0}))

CIFAR16 = _small("small-cifar16", DataConfig(source="cifar10", path="data/cifar10", resize=16, validation=0), 75, 150)
"""CIFAR-10 pooled to 16 x 16: 256 steps."""

WORDNET14 = _small(
    "small-wordnet14",
    DataConfig(source="documents", path="data/wordnet14", validation=0),
    truncation=33,
    length=100,
    joint_losses=False,
    sampling_updates=160,
)
"""Entries of WordNet in 14 classes, in DBpedia's place: 99 characters on average, a third of DBpedia's 300.

Scheduled sampling falls over DBpedia's share of the pretraining, which alone has a decoder: 160 are to 700 updates what
100,000 are to its 437,500.
"""

SMALL_SIZES = (40, 64, 96, 128)


def digits(size: int) -> Task:
    """MNIST at a size of StanfordDogs, in its place; a fixed time for every method, its schedule shrunk to fit.

    Choice: chrono initialisation over the length, as with a forget bias of 1 full backpropagation was still at chance
    after five minutes at 1,600 steps: a unit then forgets within a few steps, and the last rows of an image are blank.
    Scheduled sampling falls over 100,000 updates, as printed, which of these smaller batches are 44 % of the schedule,
    where of StanfordDogs' they are 74.
    """
    data = DataConfig(source="idx", path="data/mnist", resize=size, validation=0)
    task = _small(f"small-digits{size}", data, 300, 600)
    return replace(
        task,
        schedule=PAPER_DOGS,
        sampling_updates=100_000,
        budget=SMALL_DIGITS_BUDGET,
        evaluate_every=10**9,
        model=task.model.model_copy(update={"chrono": size * size}),
        monitor=("test",),
    )


assert set(SMALL_SIZES) <= set(DOGS_SIZES)
