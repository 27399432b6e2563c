"""The methods of the paper, each a run configuration made from a task. Variants call their parent and change fields."""

from __future__ import annotations

from typing import Any

from longreach.config import (
    AutoencoderConfig,
    BaselineConfig,
    LanguageModelConfig,
    ModelConfig,
    OptimiserConfig,
    PredictConfig,
    ReconstructConfig,
    RunConfig,
    SegmentConfig,
    WholeSequenceConfig,
)
from longreach.recipes.task import Task


def lstm(task: Task, truncation: int | None = None) -> RunConfig:
    """An LSTM on the classifier's loss alone; by default with full backpropagation through time."""
    return RunConfig(
        data=task.data,
        model=task.model,
        truncation=truncation,
        phases=(task.schedule.joint(pretrained=False),),
        optimiser=task.optimiser,
        batch_size=task.batch_size,
        evaluate_every=task.evaluate_every,
        monitor=task.monitor,
        select="last",
        tensorboard=False,
        budget=task.budget,
    )


def with_loss(task: Task, loss: SegmentConfig | WholeSequenceConfig, truncation: int | None) -> RunConfig:
    """An LSTM with an auxiliary loss: pretraining, then the phase that the task says."""
    phases = (task.schedule.pretrain(), task.schedule.joint(pretrained=True, auxiliary=task.joint_losses))
    return lstm(task, truncation).model_copy(update={"auxiliary": (loss,), "phases": phases})


def r(task: Task, reach: int | None, /, **changed: Any) -> RunConfig:
    """r-LSTM: one segment of the past is rebuilt.

    Args:
        task: what on.
        reach: truncation of the classifier and, unless it is changed, before the anchor.
        changed: settings of the loss.
    """
    return with_loss(task, ReconstructConfig(**_segments(task, reach, changed)), reach)


def p(task: Task, reach: int | None, /, **changed: Any) -> RunConfig:
    """p-LSTM: the tokens after the anchor are predicted. Arguments as for `r`."""
    return with_loss(task, PredictConfig(**_segments(task, reach, changed)), reach)


def lm(task: Task, reach: int | None) -> RunConfig:
    """LM-LSTM of Dai and Le 2015: pretrained to foretell the next token at every step of the whole sequence."""
    return with_loss(task, LanguageModelConfig(**_whole_sequence(task, reach)), reach)


def sa(task: Task, reach: int | None) -> RunConfig:
    """SA-LSTM of Dai and Le 2015: pretrained to write the whole sequence again from the state at its end."""
    return with_loss(task, AutoencoderConfig(**_whole_sequence(task, reach)), reach)


def irnn(task: Task) -> RunConfig:
    """The iRNN of Le et al. 2015: 100 rectified units that start from the identity.

    Choice: the paper prints that work's own figure. Here it is trained as the others are, with its source's width and
    clipping, without embedding, and at the learning rate of 0.0001, as larger ones blow the identity up.
    """
    model = task.model.model_copy(
        update={"cell": "rnn_relu", "hidden_size": 100, "embedding_size": None, "initialisation": "identity"}
    )
    return _slower(lstm(task).model_copy(update={"model": model, "optimiser": _clipped(task)}))


def urnn(task: Task, hidden_size: int = 512) -> RunConfig:
    """The uRNN of Arjovsky et al. 2016: a unitary matrix of complex units, 512 as in its source.

    Choice: the paper prints that work's own figure. Here it is trained as the others are, without embedding.
    """
    model = task.model.model_copy(update={"cell": "urnn", "hidden_size": hidden_size, "embedding_size": None})
    return lstm(task).model_copy(update={"model": model})


def network(task: Task, model: BaselineConfig, warmup: int, **phase: Any) -> RunConfig:
    """A network without recurrent state, on the classifier's loss alone.

    Choice: Adam without clipping, after a linear warm-up, as the sources' optimisers and learning rates differ and the
    paper tells none; its schedule is that of the task unless `phase` changes it.

    Args:
        task: what on.
        model: the network.
        warmup: updates.
        phase: settings of the one phase.
    """
    alone = task.schedule.joint(pretrained=False).model_copy(update={"learning_rate": 0.001, "warmup": warmup, **phase})
    optimiser = OptimiserConfig(name="adam", clip=None)
    return lstm(task).model_copy(update={"model": model, "phases": (alone,), "optimiser": optimiser})


def _whole_sequence(task: Task, reach: int | None) -> dict[str, Any]:
    return {"truncation": reach, "head_size": task.decoder_head, "drop_connect": task.decoder_drop_connect}


def _segments(task: Task, truncation: int | None, changed: dict[str, Any]) -> dict[str, Any]:
    return {
        "segments": 1,
        "length": task.length,
        "truncation": truncation,
        "sampling_updates": task.sampling_updates,
        "decoder_embedding_size": task.model.embedding_size,
        "head_size": task.decoder_head,
        "drop_connect": task.decoder_drop_connect,
        **changed,
    }


def _clipped(task: Task) -> OptimiserConfig:
    return task.optimiser.model_copy(update={"clip": 1.0})


def _slower(run: RunConfig) -> RunConfig:
    phases = tuple(phase.model_copy(update={"learning_rate": 0.0001}) for phase in run.phases)
    return run.model_copy(update={"phases": phases})


def without_embedding(run: RunConfig) -> RunConfig:
    """The same run with values fed as they are, to the encoder and to the decoder."""
    losses = tuple(
        loss.model_copy(update={"decoder_embedding_size": None}) if isinstance(loss, SegmentConfig) else loss
        for loss in run.auxiliary
    )
    assert isinstance(run.model, ModelConfig)
    return run.model_copy(update={"auxiliary": losses, "model": run.model.model_copy(update={"embedding_size": None})})
