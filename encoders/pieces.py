"""Modules that take waveforms of one length: a waveform is played to them in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..synth.errors import InputError
from .base import ModuleEncoder, Stage
from .layouts import Layout, first_tensor
from .measuring import noise_for

CONCENTRATED = 0.75  # share of a change at the end of a piece that lies in the later half of a time axis


class PieceEncoder(ModuleEncoder):
    """A `ModuleEncoder` whose module takes pieces of a fixed length; none knows of another.

    What a piece gives over time are frames, of ``piece / frames`` samples; where that is no whole number, or
    there is no time, all that it gives is one frame. Where a waveform ends within a piece, that is left out.

    Parameters
    ----------
    *arguments, **options
        As of `ModuleEncoder`.
    piece : int > 0
        Samples.
    """

    def __init__(self, *arguments: Any, piece: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.piece = piece

    def _activations(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        whole, samples = waveforms.shape[1] // self.piece, waveforms.shape[1]
        if not whole:
            raise InputError(
                f"{self.name}: hears pieces of {self.piece} samples; the waveforms have {samples}"
            )
        pieces = waveforms[:, : whole * self.piece].reshape(-1, self.piece)
        joined = {}
        for stage, found in super()._activations(pieces, stages).items():  # [B * pieces, C, frames]
            there = (samples - self.piece) // self.stages[stage].hop + 1  # all of a frame's piece has played
            parts = found.unflatten(0, (len(waveforms), whole)).movedim(1, 2)
            joined[stage] = parts.flatten(2)[:, :, :there]
        return joined


def piece_stages(encoder: PieceEncoder, order: Sequence[str]) -> dict[str, tuple[Stage, Layout | None]]:
    """Return stages of pieces, and where their axes are; no layout where a piece gives one frame.

    Parameters
    ----------
    encoder : PieceEncoder
        It records what its submodules give as it is.
    order : sequence of str
        Stages, from shallow to deep.

    Raises
    ------
    InputError
        If a stage has not one batch axis.
    """
    with torch.inference_mode():
        found = {stage: _stage(encoder, stage) for stage in order}
    bounded = True
    for stage, (about, layout) in found.items():
        bounded = bounded and about.receptive_field is not None
        if not bounded:  # frames within a piece see all of it, and those that follow do
            found[stage] = replace(about, receptive_field=None), layout
    return found


def _stage(encoder: PieceEncoder, stage: str) -> tuple[Stage, Layout | None]:
    raw = {
        batch: ModuleEncoder._activations(encoder, noise_for(encoder, batch, encoder.piece), [stage])[stage]
        for batch in (2, 3)
    }
    shape = tuple(raw[2].shape)
    batch = [
        axis for axis, size in enumerate(shape) if raw[3].ndim == len(shape) and raw[3].shape[axis] != size
    ]
    if len(batch) != 1:
        raise InputError(f"stage {stage!r}: needs one batch axis, has {len(batch)} in {shape}")
    time = _time_axis(encoder, stage, batch[0])
    kind = "nonlinear" if raw[2].is_floating_point() else "codes"
    if time is None or encoder.piece % shape[time]:
        channels = raw[2].numel() // 2
        return Stage(stage, channels, encoder.piece, encoder.piece, encoder.piece - 1, kind), None
    channels, hop = raw[2].numel() // 2 // shape[time], encoder.piece // shape[time]
    return Stage(stage, channels, hop, None, encoder.piece - 1, kind), Layout(batch[0], time)


def one_frame(stage: str, output: Any, channels: int) -> Tensor:
    """Return all that a piece gives as one frame, [B, C, 1]."""
    tensor = first_tensor(stage, output)
    batch = next(axis for axis, size in enumerate(tensor.shape) if tensor.numel() == size * channels)
    return tensor.movedim(batch, 0).flatten(1)[:, :, None]


def _time_axis(encoder: PieceEncoder, stage: str, batch: int) -> int | None:
    """Return the axis along which a change at a piece's end shows at the end, and one at its start there."""
    sound = noise_for(encoder, 1, encoder.piece)
    quarter = encoder.piece // 4
    changed = []
    for where in (slice(encoder.piece - quarter, None), slice(0, quarter)):
        other = sound.clone()
        other[:, where] = sound.flip(1)[:, where]
        played = torch.cat([sound, other])
        before, after = (
            ModuleEncoder._activations(encoder, one[None], [stage])[stage].double() for one in played
        )
        changed.append((after - before).square())
    shares = {}
    for axis, size in enumerate(changed[0].shape):
        if axis == batch or size < 2:
            continue
        end, start = (change.movedim(axis, 0).flatten(1).sum(1) for change in changed)
        late = end[size // 2 :].sum() / end.sum()
        early = start[: size - size // 2].sum() / start.sum()
        shares[axis] = float(torch.minimum(late, early).nan_to_num())
    best = max(shares, key=lambda axis: shares[axis], default=None)
    return best if best is not None and shares[best] > CONCENTRATED else None
