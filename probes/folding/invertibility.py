"""Invertibility: whether a stage, as a bank of strided filters, keeps the sound in spite of aliasing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.abilities import Differentiates
from ...encoders.base import Encoder, Stage
from ...encoders.filterbanks import stft_lower_frame_bound
from ..engine.known import Known, mean_of, near
from ..engine.probe import Probe
from ..engine.runtime import flushing_denormals, holding_memory, one_thread
from ..engine.schema import dataset
from ..engine.session import Session
from ..engine.stages import chosen_stages
from .polyphase import FLOOR, TURNS, gram_coefficients, lowest, singular_values, turns_of
from .variables import VARIABLES

LONGEST_S = 2.0  # how far back the memory of an unbounded stage is looked for
NEGLIGIBLE = 1e-8  # share of a Jacobian's energy that may lie further back than what is kept
MISLEADING = 0.5  # a linearisation with a larger error is remarked upon
QUIET_RMS, QUIET_SOUNDS = 1e-3, 8  # noise that a linearisation must foretell

_NOTHING = {
    "smallest_singular_value": np.nan,
    "smallest_nonzero_singular_value": np.nan,
    "largest_singular_value": np.nan,
    "condition_number": np.nan,
    "rank_share": np.nan,
    "kernel_length": np.nan,
    "linearisation_error": np.nan,
    "smallest_by_turn": np.full(TURNS, np.nan),
    "largest_by_turn": np.full(TURNS, np.nan),
}


def invertibility(session: Session[Encoder]) -> xr.Dataset:
    """Measure whether stages are invertible as banks of strided filters, from their singular values.

    Folding alone loses nothing: a bank with enough channels can be undone in spite of it. With kernels
    h and hop S a stage is ``E(theta)[c, p] = sum_l h_c[p + l S] exp(j theta l)``, its polyphase matrix,
    whose singular values over all S columns are those of the alias-component matrix. The smallest over
    theta, squared, is the largest A and the largest, squared, the smallest B with
    ``A |x|^2 <= sum of activations^2 <= B |x|^2`` (frame bounds). The smallest is above zero just where
    the sound can be had back, never with fewer channels than samples per frame.

    Kernels of "convolution" stages are known (`Encoder.kernels`); of others they are the Jacobian of one
    steady frame at silence.

    Parameters
    ----------
    session : Session
        At the canonical stages by default. For the Jacobians its encoder needs `differentiable`, as
        `ModuleEncoder` has.

    Returns
    -------
    invertibility : xarray.Dataset
        See `folding.variables`, "invertibility". Values below 1e-6 of the largest are zero.
        Where `method` is "none" the other values are NaN, and `remark` says why: `quantized` and `codes`
        are steps, whose derivative tells nothing.

    Raises
    ------
    InputError
        If a stage is not there.

    Notes
    -----
    The Jacobian tells of sounds too quiet to bend anything. At silence a max-pool may be at a tie and
    a ReLU at its corner: the derivative is then one-sided, of the first of the tied and of the ReLU's flat
    side, and channels that are dead at silence count as zeros. `linearisation_error` says what it is
    worth: the error with which it foretells answers to noise at -60 dBFS, relative; 1 is no use at all.
    A stage without a bounded receptive field has the kernels of that much past beyond which 1e-8 of the
    Jacobian's energy lies.

    Source: Vaidyanathan, Multirate Systems and Filter Banks, 1993 (polyphase and alias-component
    matrices); Bölcskei, Hlawatsch and Feichtinger 1998 (frame bounds of oversampled banks).

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> found = invertibility(Session(load("control:decimator"))).sel(stage="first_layer")
    >>> float(found.smallest_singular_value), float(found.largest_singular_value)
    (0.0, 1.0)
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    found = []
    with (
        flushing_denormals(),
        holding_memory(),
        session.progress.task(f"{encoder.name}: invertibility", len(stages)) as advance,
    ):
        for name in stages:
            found.append(_measured(encoder, encoder.stages[name]))
            advance(1)
    heard = [encoder.stages[s] for s in stages]
    fields = [np.nan if s.receptive_field is None else s.receptive_field for s in heard]
    return dataset(
        VARIABLES["invertibility"],
        {
            **{name: np.array([one[name] for one in found]) for name in found[0]},
            "turn": np.linspace(0, 0.5, TURNS),
            "channels_per_hop": np.array([s.channels / s.hop for s in heard]),
            "stage": np.array(stages),
            "n_channels": np.array([s.channels for s in heard]),
            "hop": np.array([s.hop for s in heard]),
            "nyquist_hz": np.array([encoder.sample_rate / (2 * s.hop) for s in heard]),
            "receptive_field": np.array(fields, dtype=float),
            "kind": np.array([s.kind for s in heard]),
        },
        {"floor": FLOOR, "quiet_rms": QUIET_RMS},
    )


def _columns(kernels: np.ndarray, hop: int) -> dict[str, object]:
    """Say what the singular values of a bank [C, L] are."""
    gram = gram_coefficients(kernels, hop)
    turns = turns_of(gram)
    values = singular_values(gram, turns)
    largest = values.max()
    floor = FLOOR * largest
    least = lowest(gram, turns, values[:, -1]) if values[:, -1].min() > floor else 0.0
    values = np.where(values < floor, 0.0, values)
    every = values.shape[1] == hop
    smallest = least if every and least > floor else 0.0
    above = np.append(values[values > 0], least if least > floor else [])
    kept = slice(None, None, (len(turns) - 1) // (TURNS - 1))
    return {
        "smallest_singular_value": smallest,
        "smallest_nonzero_singular_value": above.min() if len(above) else np.nan,
        "largest_singular_value": largest,
        "condition_number": largest / smallest if smallest > 0 else np.inf,
        "rank_share": (values > 0).sum(1).mean() / hop,
        "kernel_length": float(kernels.shape[1]),
        "smallest_by_turn": values[kept, -1] if every else np.zeros(TURNS),
        "largest_by_turn": values[kept, 0],
    }


class _NotDifferentiable(Exception):
    """Says why there is no Jacobian."""


def _measured(encoder: Encoder, stage: Stage) -> dict[str, object]:
    """Return the variables of one stage."""
    try:
        kernels, method, remark = _linear_kernels(encoder, stage)
    except _NotDifferentiable as reason:
        return {**_NOTHING, "method": "none", "remark": str(reason)}
    error = _linearisation_error(encoder, stage, kernels)
    found = {**_columns(kernels, stage.hop), "method": method, "linearisation_error": error}
    if not kernels.any():
        remark = "dead at silence: nothing answers"
        if error > 0:
            remark = (
                "the Jacobian at silence is zero, yet quiet noise is answered: a corner without derivative"
            )
            found |= {**_NOTHING, "method": "none", "linearisation_error": error}
    elif error > MISLEADING:
        why = remark or "there is a corner or a tie"
        remark = f"the Jacobian at silence foretells no answers: {why}"
    return {**found, "remark": remark}


def _linear_kernels(encoder: Encoder, stage: Stage) -> tuple[np.ndarray, str, str]:
    """Return kernels of a stage or its linearisation, float64 [C, L], how they were had, and a remark."""
    known = encoder.kernels(stage.name)
    if known is not None:
        return known, "polyphase", ""
    if stage.is_stepwise or stage.name == "quantized":
        raise _NotDifferentiable("steps have no derivative that tells anything")
    if not isinstance(encoder, Differentiates):
        raise _NotDifferentiable(f"{encoder.name} has no `differentiable`")
    try:
        answer = encoder.differentiable(stage.name)
        length, remark = stage.receptive_field, ""
        if length is None:
            length, forgotten = _memory(answer, encoder, stage)
            remark = "" if forgotten else f"remembers more than {LONGEST_S:g} s, the rest is left out"
        return jacobian_kernels(answer, stage, length, encoder.device), "jacobian", remark
    except RuntimeError as error:  # whatever a module does that has no derivative
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise _NotDifferentiable(f"no derivative: {reason}") from None


def jacobian_kernels(
    answer: Callable[[Tensor], Tensor], stage: Stage, length: int, device: torch.device
) -> np.ndarray:
    """Return the derivative at silence of one steady frame with respect to the last samples it sees.

    Parameters
    ----------
    answer : callable
        float32 [1, T] -> [1, C, F], differentiable.
    stage : Stage
        Where frames lie on the samples.
    length : int > 0
        Samples to go back, L.
    device : torch.device

    Returns
    -------
    kernels : float64 [C, L]
        In order of time, as `Encoder.kernels`.

    Raises
    ------
    RuntimeError
        If there is no derivative, or it is not finite.

    Notes
    -----
    One backward pass per channel through one graph: no more memory than a forward pass, and any module
    will do. `torch.func.jacrev`, which batches the passes, gives the same in half the time for EnCodec's
    convolutions, but takes 3 to 7 times as long through its LSTM, whose batched backward pass forms the
    gradient of the weights as well.
    """
    frame, n_samples = _placed(stage, length)
    silence = torch.zeros(1, n_samples, device=device, requires_grad=True)
    heard = answer(silence)[0, :, frame]  # [C]
    last = frame * stage.hop + stage.latency
    seen = slice(last - length + 1, last + 1)
    kernels = torch.zeros(len(heard), length)
    summary = _summary_gradient(heard, silence)
    if not torch.isfinite(summary).all():
        raise RuntimeError("the Jacobian at silence is not finite")
    if summary.any():  # all zero are those of a stage that is dead at silence, or at a corner
        with one_thread():
            for channel, one in enumerate(heard):
                (gradient,) = torch.autograd.grad(one, silence, retain_graph=True)  # [1, T]
                kernels[channel] = gradient[0, seen]
    return kernels.double().numpy()


def _summary_gradient(heard: Tensor, silence: Tensor) -> Tensor:
    """Return the gradient [1, T] of the sum of channels [C] with random signs: on average, all the energy."""
    signs = torch.randint(2, heard.shape, generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    return torch.autograd.grad((heard * signs.to(heard)).sum(), silence, retain_graph=True)[0]


def _placed(stage: Stage, length: int) -> tuple[int, int]:
    """Return the first frame that sees `length` samples, and how many whole hops of samples it needs."""
    frame = max(0, math.ceil((length - 1 - stage.latency) / stage.hop))
    return frame, math.ceil((frame * stage.hop + stage.latency + 1) / stage.hop) * stage.hop


def _memory(answer: Callable[[Tensor], Tensor], encoder: Encoder, stage: Stage) -> tuple[int, bool]:
    """Return how many samples an unbounded stage remembers, in whole hops, and whether it forgets more."""
    bounded = max((s.receptive_field or 0) for s in encoder.stages.values())
    frame, n_samples = _placed(stage, bounded + round(LONGEST_S * encoder.sample_rate))
    silence = torch.zeros(1, n_samples, device=encoder.device, requires_grad=True)
    gradient = _summary_gradient(answer(silence)[0, :, frame], silence)
    last = frame * stage.hop + stage.latency
    energy = gradient[0, : last + 1].double().square().cpu().numpy()
    if not energy.sum() > 0:  # dead, or not finite: the Jacobian itself will tell
        return stage.hop, True
    first = int(np.searchsorted(np.cumsum(energy), NEGLIGIBLE * energy.sum()))
    return math.ceil((last + 1 - first) / stage.hop) * stage.hop, first > 0


def _linearisation_error(encoder: Encoder, stage: Stage, kernels: np.ndarray) -> float:
    """Return the relative error with which kernels [C, L] foretell what quiet noise changes in one frame."""
    length = kernels.shape[1]
    # of an unbounded stage twice as much past plays, so that what its kernels leave out is an error
    frame, n_samples = _placed(stage, length if stage.receptive_field else 2 * length)
    generator = torch.Generator().manual_seed(0)
    noise = QUIET_RMS * torch.randn(QUIET_SOUNDS, n_samples, generator=generator)
    played = torch.cat([torch.zeros(1, n_samples), noise])
    heard = encoder.run(played, [stage.name])[stage.name][..., frame].double().cpu().numpy()
    change = heard[1:] - heard[0]  # [n, C]
    last = frame * stage.hop + stage.latency
    foretold = noise[:, last - length + 1 : last + 1].double().numpy() @ kernels.T
    missed, size = np.linalg.norm(change - foretold), np.linalg.norm(change)
    return float(missed / size) if size > 0 else (0.0 if missed == 0 else np.inf)


INVERTIBILITY = Probe(
    "invertibility",
    question="Could the sound be had back from a stage?",
    variables=VARIABLES["invertibility"],
    measure=invertibility,
    known=(
        Known("control:decimator", "smallest singular value", 0, 0, "0", mean_of("smallest_singular_value")),
        Known("filterbank:stft", "smallest singular value re its closed form", *near(1, 0.005, "1 ± 0.005"),
              mean_of("smallest_singular_value", "",
                      lambda rate, result: np.sqrt(stft_lower_frame_bound(rate)))),
    ),
)  # fmt: skip
