"""A session: who is measured, where and how; what every measure needs beside its own settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from ...encoders.base import Weights
from ...synth.errors import InputError
from .progress import Progress
from .resuming import Blocks


class Named(Protocol):
    """What is measured has a name, weights and a modality, whatever else it is."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def weights(self) -> Weights: ...  # noqa: D102
    @property
    def modality(self) -> str: ...  # noqa: D102


Subject = TypeVar("Subject", bound=Named, covariant=True)
Other = TypeVar("Other", bound=Named)
Made = TypeVar("Made")


class Rehearsed(Exception):
    """Says what a measure would play, in the place of playing it.

    Parameters
    ----------
    sounds : int
        Each phase counted.
    steady_s : float
        How long each lasts beyond the onset.
    tolerance : float
        To which the onset has died away; see `respond`.
    key : object
        The same where the same is played and reduced in the same way.
    """

    def __init__(self, sounds: int, steady_s: float, tolerance: float, key: object) -> None:
        super().__init__(f"{sounds} sounds")
        self.sounds, self.steady_s, self.tolerance, self.key = sounds, steady_s, tolerance, key


@dataclass(frozen=True)
class Session(Generic[Subject]):
    """Who is measured, at which stages, and how.

    Parameters
    ----------
    encoder : Encoder or LatentModel
    stages : sequence of str, optional
        Stages to measure at; each measure has its own default.
    seed : int >= 0
        Of whatever is drawn: mixtures, splits, resampling.
    progress : Progress
    tile_seconds : float > 0, optional
        Seconds of audio that go through the encoder at once. At a fixed size repeated runs are identical,
        digit for digit; by default some measures find the fastest by timing, and activations then differ
        by rounding (some 1e-7) from run to run.
    out : Path, optional
        A zarr group that a measure may stream a large result to.
    unfinished : Path, optional
        A folder where long loops keep what they have made, to go on from it after an interruption.
    rehearsing : bool
        Nothing is played: `respond` raises `Rehearsed`.

    Raises
    ------
    InputError
        If `tile_seconds` is not positive.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> session = Session(load("filterbank:stft"), ["first_layer"], seed=3)
    >>> session.stages, session.seed, session.device
    (('first_layer',), 3, device(type='cpu'))
    """

    encoder: Subject
    stages: Sequence[str] | None = None
    seed: int = 0
    progress: Progress = field(default_factory=lambda: Progress(show=False), repr=False)
    tile_seconds: float | None = None
    out: Path | None = None
    unfinished: Path | None = None
    rehearsing: bool = False
    _made: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _shared: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.stages is not None:
            named = (self.stages,) if isinstance(self.stages, str) else tuple(self.stages)
            object.__setattr__(self, "stages", named)
        if self.tile_seconds is not None and not self.tile_seconds > 0:
            raise InputError(f"tile_seconds {self.tile_seconds}: must be positive")

    @property
    def device(self) -> torch.device:
        """Where the encoder's tensors live."""
        return getattr(self.encoder, "device", torch.device("cpu"))

    def at(self, stages: Sequence[str] | None) -> Session[Subject]:
        """Return the same session at other stages."""
        return replace(self, stages=stages)

    def tiled(self, seconds: float) -> Session[Subject]:
        """Return the same session with tiles of a size, unless it has one already."""
        return self if self.tile_seconds is not None else replace(self, tile_seconds=seconds)

    def of(self, encoder: Other, stages: Sequence[str] | None) -> Session[Other]:
        """Return a session of another encoder in the same run."""
        return replace(self, encoder=encoder, stages=stages, _made={})  # type: ignore[return-value, type-var]

    def blocks(self, *key: object) -> Blocks:
        """Return what keeps the blocks of a long loop: those of this encoder, these stages, this seed."""
        subject = (self.encoder.name, self.encoder.weights.sha256)
        about = (*subject, self.stages, self.seed, self.tile_seconds, *key)
        return Blocks(self.unfinished, *about, say=self.progress.say)

    def once(self, make: Callable[..., Made], *arguments: object) -> Made:
        """Return ``make(self, *arguments)``, made once for all measures of the session.

        Examples
        --------
        >>> from tonotopy.encoders import load
        >>> session = Session(load("filterbank:stft"))
        >>> session.once(lambda session: object()) is session.once(lambda session: object())
        False
        >>> name = lambda session, suffix: session.encoder.name + suffix
        >>> session.once(name, "!") is session.once(name, "!")
        True
        """
        key = self._key(make, *arguments)
        if key not in self._made:
            self._made[key] = make(self, *arguments)
        return self._made[key]

    def _key(self, *made: object) -> tuple[object, ...]:
        """Tell what was made for one subject and its settings from the same for another."""
        return (id(self.encoder), self.seed, self.stages, self.tile_seconds, *made)

    def shared(self, make: Callable[..., Made], *arguments: object) -> Made:
        """Return ``make(*arguments)``, made once for all encoders of a run."""
        key = (make, *arguments)
        if key not in self._shared:
            self._shared[key] = make(*arguments)
        return self._shared[key]
