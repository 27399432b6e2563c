"""The auxiliary losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from longreach.config.section import Count, Probability, Section, Truncation


class SegmentConfig(Section):
    """What reconstruction and prediction share."""

    segments: Count = 1
    """n, segments per update."""
    length: Annotated[int, Field(ge=2)] = 600
    """l, tokens per segment, the given first one included."""
    truncation: Truncation = 300
    """Steps before an anchor through which gradient flows."""
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """Factor in the sum of losses."""
    anchors_per: Literal["batch", "sequence"] = "batch"
    """Whether the sequences of a batch share their anchors or each draws its own, which costs more."""
    sampling: Literal["linear", "constant", "exponential", "inverse_sigmoid"] = "linear"
    """How the probability of the truth as the decoder's input falls: to zero over sampling_updates; or by sampling_k,
    as that probability itself, as k^update, or as k / (k + exp(update / k))."""
    sampling_updates: Count | None = None
    """Updates over which linear scheduled sampling falls to no truth at all; null is teacher forcing."""
    sampling_k: Annotated[float, Field(ge=0.0)] | None = None
    """k of the schedules that are not linear."""
    sampling_speed: Annotated[float, Field(gt=0.0)] = 1.0
    """Updates of the schedule in one of the run; longreach sets it where a budget shrinks a schedule with a k."""
    sampling_passes: Count | None = None
    """Gradient-free passes that make the sampled inputs, which is quicker and inexact; null is token by token."""
    lag_features: bool = False
    """Tell the decoder how far each token lies from the anchor (ours)."""
    decoder_truncation: Count | None = None
    """Steps of the decoder through which gradient flows; null for all of them."""
    decoder_size: Count | None = None
    """Units of the decoder's layers; null for the encoder's."""
    decoder_layers: Count = 2
    """Layers of the decoder."""
    decoder_embedding_size: Count | None = 128
    """Numbers per embedded decoder input; null feeds values as they are."""
    head_size: Count = 256
    """Hidden units of the decoder's head."""
    drop_connect: Probability = 0.5
    """Probability on the second layer of the decoder's head."""

    @model_validator(mode="after")
    def _sampling_is_whole(self) -> SegmentConfig:
        if self.sampling == "linear":
            if self.sampling_k is not None:
                raise ValueError("auxiliary.sampling_k: belongs to the schedules that are not linear; leave it out")
            return self
        if self.sampling_updates is not None or self.sampling_k is None:
            raise ValueError(
                f"auxiliary.sampling: {self.sampling!r} takes sampling_k and no sampling_updates, found "
                f"sampling_k={self.sampling_k}, sampling_updates={self.sampling_updates}"
            )
        k, schedule = self.sampling_k, self.sampling
        fits = k >= 1.0 if schedule == "inverse_sigmoid" else k <= 1.0 if schedule == "constant" else 0.0 < k < 1.0
        if not fits:
            wanted = {"constant": "0 to 1", "exponential": "between 0 and 1", "inverse_sigmoid": "1 or more"}[schedule]
            raise ValueError(f"auxiliary.sampling_k: expected {wanted} for {schedule!r}, found {k}")
        return self


class ReconstructConfig(SegmentConfig):
    """The reconstruction loss of r-LSTM."""

    kind: Literal["reconstruct"] = "reconstruct"
    """Which loss this is."""
    place: Literal["immediate", "past", "overlap"] = "overlap"
    """Where segments lie: just before the anchor, anywhere before it, or also up to half past it."""
    reverse: bool = True
    """Rebuild the last token first."""


class PredictConfig(SegmentConfig):
    """The prediction loss of p-LSTM."""

    kind: Literal["predict"] = "predict"
    """Which loss this is."""
    form: Literal["decoder", "stacked"] = "decoder"
    """A decoder from the state at the anchor, or one on top of the encoder, which reads on."""


class RecallConfig(Section):
    """The recall loss."""

    kind: Literal["recall"] = "recall"
    """Which loss this is."""
    anchors: Count = 4
    """n, anchors per update."""
    queries: Count = 16
    """q, lags asked for per anchor and sequence."""
    anchors_per: Literal["batch", "sequence"] = "batch"
    """Whether the sequences of a batch share their anchors or each draws its own, which costs more."""
    horizon: Count | None = None
    """Longest lag in steps; null for the whole sequence."""
    growth: Count | None = None
    """Updates over which the longest lag grows from horizon_start to the horizon; null begins with all of it."""
    horizon_start: Count = 16
    """Longest lag of the first update where it grows, in steps; the horizon where that is shorter."""
    lag_distribution: Literal["uniform", "log"] = "uniform"
    """Lags alike, or short ones more often."""
    direction: Literal["past", "future", "both"] = "past"
    """What is asked for: tokens read before the anchor, tokens to come, or half of each."""
    blocks: Annotated[tuple[Count, ...], Field(min_length=1)] = (1,)
    """Tokens averaged around a lag, one readout for each number; 1 is the token itself."""
    reads: Literal["state", "hidden"] = "state"
    """What the readout sees: all of the state, or h alone."""
    truncation: Truncation = 30
    """Steps before an anchor through which gradient flows."""
    weight: Annotated[float, Field(gt=0.0)] = 3.0
    """Factor in the sum of losses."""
    readout_size: Count = 256
    """Units of the readout's two hidden layers."""


class WholeSequenceConfig(Section):
    """What the language model and the autoencoder of Dai and Le 2015 share."""

    truncation: Annotated[int, Field(ge=1)] | None = 100
    """Steps of each window that is read with gradient; null does not cut."""
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """Factor in the sum of losses."""
    head_size: Count = 256
    """Hidden units of the head at every step."""
    drop_connect: Probability = 0.5
    """Probability on the second layer of that head."""


class LanguageModelConfig(WholeSequenceConfig):
    """The loss of LM-LSTM: the next token, at every step of the whole sequence."""

    kind: Literal["language_model"] = "language_model"
    """Which loss this is."""


class AutoencoderConfig(WholeSequenceConfig):
    """The loss of SA-LSTM: the state at the end writes the whole sequence again."""

    kind: Literal["autoencoder"] = "autoencoder"
    """Which loss this is."""


LossConfig = ReconstructConfig | PredictConfig | RecallConfig | LanguageModelConfig | AutoencoderConfig

AuxiliaryConfig = Annotated[LossConfig, Field(discriminator="kind")]
