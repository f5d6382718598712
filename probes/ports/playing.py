"""Two encoders side by side: the same sounds to both, and what their stages answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from .sounds import transformed


@dataclass(frozen=True)
class Input:
    """How the first encoder's sounds differ from the second's.

    Parameters
    ----------
    delay : float
        Samples; negative where the first's sounds come earlier.
    gain : float
        Negative where their polarity is inverted.
    """

    delay: float = 0.0
    gain: float = 1.0

    def then(self, other: Input) -> Input:
        """Return both, one after the other."""
        return Input(self.delay + other.delay, self.gain * other.gain)


@dataclass(frozen=True)
class Pair:
    """Two encoders, the stages at which they are compared, and how they are played.

    Parameters
    ----------
    first, second : Encoder
        Of one sample rate.
    stages : mapping of str to str
        Stage of the first -> the same stage of the second, from shallow to deep.
    sounds : StimulusSet
    n_samples : int
    batch : int
        Sounds that go through at once.
    """

    first: Encoder
    second: Encoder
    stages: Mapping[str, str]
    sounds: StimulusSet
    n_samples: int
    batch: int

    @property
    def sample_rate(self) -> int:
        """Of both."""
        return self.first.sample_rate

    def waveforms(self, rows: slice, how: Input | None = None) -> Tensor:
        """Return some of the sounds, float32 [b, T]."""
        how = how or Input()
        sounds = transformed(self.sounds[rows], self.sample_rate, how.delay, how.gain)
        return torch.from_numpy(sounds.render(self.sample_rate, self.n_samples))

    def batches(self, rows: int | None = None) -> Iterator[slice]:
        """Yield slices of the sounds; of the first `rows` only, if given."""
        total = len(self.sounds) if rows is None else rows
        for start in range(0, total, self.batch):
            yield slice(start, min(start + self.batch, total))

    def played(
        self, rows: slice, stages: Sequence[str], how: Input | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return what both answer to some sounds, by the first's names of stages."""
        return self.of_first(self.waveforms(rows, how), stages), self.of_second(self.waveforms(rows), stages)

    def of_first(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Return what the first answers, on the CPU."""
        found = run(self.first, waveforms, list(stages))
        return {stage: found[stage].cpu() for stage in stages}

    def of_second(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Return what the second answers, on the CPU, by the first's names of stages."""
        found = run(self.second, waveforms, [self.stages[stage] for stage in stages])
        return {stage: found[self.stages[stage]].cpu() for stage in stages}


def run(encoder: Encoder, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
    """Return what an encoder answers; whatever it raises is said in one line."""
    try:
        return encoder.run(waveforms.to(encoder.device), stages)
    except InputError:
        raise
    except Exception as error:  # of anybody's code
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{encoder.name}: fails on waveforms {list(waveforms.shape)} ({said})") from error
