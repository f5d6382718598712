"""What a dictionary's features do while sounds play: when they are active, and what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder
from ..engine.progress import Progress
from ..engine.runtime import flushing_denormals, holding_memory
from .dictionary import Dictionary
from .material import Clips, responses

Key = tuple[str, str]  # stage, and which dictionary at it


@dataclass(eq=False)
class Firing:
    """Features of one dictionary, over clips.

    Parameters
    ----------
    mean : float32 [N, M]
        Of each feature, the mean over a clip's frames.
    active : int64 [N, M]
        Frames of a clip at which a feature is active.
    frames : int64 [N]
        Frames of each clip.
    greatest : float32 [M]
        Largest value of each feature.
    error, squares : float
        Sum of the squared error of what is reconstructed, and of the activations about their mean, over all
        clips and channels.
    """

    mean: np.ndarray
    active: np.ndarray
    frames: np.ndarray
    greatest: np.ndarray
    error: float = 0.0
    squares: float = 0.0

    @property
    def token_rate(self) -> np.ndarray:
        """Share of all frames at which each feature is active, float64 [M]."""
        return self.active.sum(0) / self.frames.sum()

    @property
    def clip_rate(self) -> np.ndarray:
        """Share of clips on which each feature is active at all, float64 [M]."""
        return (self.active > 0).mean(0)

    @property
    def l0(self) -> float:
        """Features that are active at a frame, on average."""
        return float(self.active.sum() / self.frames.sum())

    @property
    def explained_variance(self) -> float:
        """Share of the variance about the mean of every channel that the reconstruction explains."""
        return 1 - self.error / self.squares if self.squares > 0 else float("nan")


@dataclass(eq=False)
class Moments:
    """Mean and covariance of activations, taken as they come."""

    count: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(0))
    products: Tensor = field(default_factory=lambda: torch.zeros(0))

    def add(self, rows: Tensor) -> None:
        """Take rows [n, d]."""
        if not self.count:
            self.total = torch.zeros(rows.shape[1], dtype=torch.float64)
            self.products = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
        double = rows.double()
        self.count += len(rows)
        self.total += double.sum(0)
        self.products += double.T @ double

    @property
    def mean(self) -> Tensor:
        """Mean of every channel, float32 [d]."""
        return (self.total / self.count).float()

    @property
    def squares(self) -> float:
        """Sum of squares about the mean, over all rows and channels."""
        return float(self.products.trace() - self.total.square().sum() / self.count)

    def components_variance(self, ranks: Sequence[int]) -> np.ndarray:
        """Return the share of variance that the first principal components explain, float64 [ranks]."""
        covariance = self.products - torch.outer(self.total, self.total) / self.count
        values = torch.linalg.eigvalsh(covariance).flip(0).clamp(min=0).numpy()
        shares = np.cumsum(values) / max(values.sum(), np.finfo(float).tiny)
        return np.array([shares[min(rank, len(shares)) - 1] for rank in ranks])


def rows_of(activations: Tensor) -> Tensor:
    """Return activations [B, C, F] as rows, float32 [B F, C]: frames of the first first."""
    return activations.transpose(1, 2).flatten(0, 1).float()


def learning_rows(
    encoder: Encoder, clips: Clips, stages: Sequence[str], tokens: int, progress: Progress
) -> dict[str, Tensor]:
    """Return activations to learn from, {stage: float32 [n, C]}; of each stage at most so many rows.

    Clips are heard in their order, until every stage has its rows.
    """
    parts: dict[str, list[Tensor]] = {stage: [] for stage in stages}
    counts = dict.fromkeys(stages, 0)
    label = f"{encoder.name}: activations to learn from"
    with flushing_denormals(), holding_memory(), progress.task(label, tokens) as advance:
        for _, inputs in clips.batches():
            wanting = [stage for stage in stages if counts[stage] < tokens]
            if not wanting:
                break
            least = min(counts.values())
            for stage, activations in responses(encoder, inputs, wanting).items():
                rows = rows_of(activations)[: tokens - counts[stage]]
                parts[stage].append(rows)
                counts[stage] += len(rows)
            advance(min(counts.values()) - least)
    return {stage: torch.cat(several) for stage, several in parts.items()}


def firings(
    encoder: Encoder, clips: Sequence[Clips], dictionaries: Mapping[Key, Dictionary], progress: Progress
) -> tuple[dict[Key, Firing], dict[str, Moments]]:
    """Play clips and follow the features of several dictionaries at once.

    Parameters
    ----------
    encoder : Encoder
    clips : sequence of Clips
        One after another; their lengths may differ.
    dictionaries : mapping of (stage, name) to Dictionary
    progress : Progress

    Returns
    -------
    firings : dict of (stage, name) to Firing
        Clips in their order.
    moments : dict of str to Moments
        Of the activations at each stage.
    """
    total = sum(map(len, clips))
    stages = list(dict.fromkeys(stage for stage, _ in dictionaries))
    found = {
        key: Firing(
            np.zeros((total, one.features), np.float32),
            np.zeros((total, one.features), np.int64),
            np.zeros(total, np.int64),
            np.zeros(one.features, np.float32),
        )
        for key, one in dictionaries.items()
    }
    moments = {stage: Moments() for stage in stages}
    first = 0
    with (
        flushing_denormals(),
        holding_memory(),
        progress.task(f"{encoder.name}: features of clips", total) as advance,
    ):
        for part in clips:
            for start, inputs in part.batches():
                found_here = responses(encoder, inputs, stages)
                where = slice(first + start, first + start + len(inputs))
                for stage, activations in found_here.items():
                    rows = rows_of(activations)
                    moments[stage].add(rows)
                    for key, one in dictionaries.items():
                        if key[0] == stage:
                            _follow(found[key], one, rows, where)
                advance(len(inputs))
            first += len(part)
    for (stage, _), firing in found.items():
        firing.squares = moments[stage].squares
    return found, moments


def _follow(firing: Firing, dictionary: Dictionary, rows: Tensor, where: slice) -> None:
    """Add the features of some clips' rows [n F, d] to what is known of them."""
    clips = where.stop - where.start
    frames = len(rows) // clips
    features = dictionary.encode(rows)  # [n F, M]
    firing.error += float((rows - dictionary.decode(features)).double().square().sum())
    of_clips = features.unflatten(0, (clips, frames))
    firing.mean[where] = of_clips.mean(1).numpy()
    firing.active[where] = (of_clips > 0).sum(1).numpy()
    firing.frames[where] = frames
    firing.greatest = np.maximum(firing.greatest, features.amax(0).numpy())
