"""What a run is, in one typed tree with units; plain data."""

from longreach.config.data import DataConfig
from longreach.config.losses import (
    AutoencoderConfig,
    AuxiliaryConfig,
    LanguageModelConfig,
    LossConfig,
    PredictConfig,
    RecallConfig,
    ReconstructConfig,
    SegmentConfig,
    WholeSequenceConfig,
)
from longreach.config.model import Initialisation, ModelConfig, OptimiserConfig
from longreach.config.networks import (
    BaselineConfig,
    CharCNNConfig,
    CNNRNNConfig,
    TDMCAConfig,
    TransformerConfig,
    VDCNNConfig,
)
from longreach.config.run import PhaseConfig, RunConfig, StoredConfig, load_config, parse_config, parse_saved
from longreach.config.section import Count, Probability, Section, Truncation

__all__ = [
    "AutoencoderConfig",
    "AuxiliaryConfig",
    "BaselineConfig",
    "CNNRNNConfig",
    "CharCNNConfig",
    "Count",
    "DataConfig",
    "Initialisation",
    "LanguageModelConfig",
    "LossConfig",
    "ModelConfig",
    "OptimiserConfig",
    "PhaseConfig",
    "PredictConfig",
    "Probability",
    "RecallConfig",
    "ReconstructConfig",
    "RunConfig",
    "Section",
    "SegmentConfig",
    "StoredConfig",
    "TDMCAConfig",
    "TransformerConfig",
    "Truncation",
    "VDCNNConfig",
    "WholeSequenceConfig",
    "load_config",
    "parse_config",
    "parse_saved",
]
