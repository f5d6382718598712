"""What a training is made of: its recipe, and the material it learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...synth.errors import InputError
from ..samplecnn import SampleCNNConfig
from .audio import AudioStore
from .augment import Augmentation
from .labels import LabelledFile


@dataclass(frozen=True)
class TrainingRecipe:
    """How to train; the defaults suit the small network on two cores.

    Parameters
    ----------
    epochs : int > 0
        An epoch draws as many examples as there are training recordings, classes equally often.
    batch_size : int > 0
    learning_rate : float > 0
        Peak of the schedule: linear over the first twentieth, then a cosine down to zero (AdamW).
    weight_decay : float
    augmentation : Augmentation
    """

    epochs: int = 36
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if not (self.epochs >= 1 and self.batch_size >= 2 and self.learning_rate > 0):
            raise InputError(
                f"training with {self.epochs} epochs, batch {self.batch_size}, rate {self.learning_rate}: "
                "must be at least 1 epoch, batches of at least 2 and a positive rate"
            )


@dataclass(frozen=True)
class Material:
    """What is learnt from: recordings with their classes and splits, and the background."""

    classes: tuple[str, ...]
    store: AudioStore
    files: tuple[LabelledFile, ...]  # those that could be read
    background: AudioStore | None

    @property
    def targets(self) -> np.ndarray:
        """Class index of every recording, int64 [n_recordings]."""
        return np.array([self.classes.index(file.label) for file in self.files])

    def split(self, name: str) -> np.ndarray:
        """Return the recordings of a split, int64 [n]."""
        return np.flatnonzero([file.split == name for file in self.files])


def crop_samples(config: SampleCNNConfig) -> int:
    """Return the length of a training example: whole frames, about a second, at least one frame.

    Examples
    --------
    >>> from tonotopy.encoders.samplecnn import TINY
    >>> crop_samples(SampleCNNConfig()), crop_samples(TINY)
    (59049, 21870)
    """
    return config.hop * max(1, round(config.sample_rate / config.hop))
