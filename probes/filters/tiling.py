"""Tiling: whether a bank of filters covers frequency evenly and with little redundancy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...encoders.filterbanks import erb_rate
from ...synth.errors import InputError
from ...synth.partials import partials_at
from ...synth.stimuli import StimulusSet
from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.respond import Reducer, respond
from ..engine.runtime import one_thread
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..engine.stages import (
    check_single,
    chosen_stages,
    coordinate,
    refuse_codes_alone,
    resolving_length,
    run_attributes,
    sampled_frames,
)
from .bank import (
    SPACINGS,
    coverage_columns,
    effective_rank,
    gram_matrix,
    in_order,
    mutual_coherence,
    neighbour_overlap,
    peaks,
    spacing_distance,
    welch_bound,
)
from .tuning import noise_bandwidth_floor
from .variables import VARIABLES

FEWEST_BINS, MOST_BINS = 1024, 2048  # of the default grid: half as many tones
GRAM_CHANNELS = 256  # of a stage, kept in the result: a quarter of a megabyte
UNEVEN = 1e-6  # of the step between frequencies
FLOAT_NOISE = 1e-6  # of a float32 activation, re what it is about in silence


def tiling(
    session: Session[Encoder],
    stimuli: StimulusSet | None = None,
    *,
    phases: int = 3,
    frames: int = 4,
) -> xr.Dataset:
    """Measure how evenly, and how redundantly, the channels of each stage share frequency out.

    Tones on an even grid of frequencies play at equally spaced phases. Two things are taken of a channel's
    deviation from its response to silence: its mean power by frequency, and its inner products with the
    deviations of other channels over all tones, phases and frames. At a linear stage the first is that of
    the frequency response, and the second is the inner product of the kernels (see Notes). At a nonlinear
    stage they go on to say which tones a channel hears, and which channels say the same; `linear_share`
    tells how far it may be taken for a filter.

    Parameters
    ----------
    session : Session
        At the canonical stages by default. Codes have no power: NaN.
    stimuli : StimulusSet, optional
        Single partials at one level and evenly spaced in frequency; by default `tiling_partials`.
    phases : int >= 3
        Of each tone.
    frames : int > 0
        Steady frames per tone and phase; see `respond` for both.

    Returns
    -------
    tiling : xarray.Dataset
        See `filters.variables`, "tiling". Channels without a response above float noise are
        left out; `n_live` counts the others (J of them). `gram` holds the normalised inner products G in
        order of best frequency, of at most 256 channels spread over that order (`gram_channel`); the
        numbers are of all:

        - `mutual_coherence`, `mean_coherence`: largest and mean ``|G_ij|`` of different channels; beside
          them, at linear stages, the Welch bound of J kernels of L samples (0 where J <= L).
        - `effective_rank`, and its share of J or, at linear stages, of the smallest of J, L and twice the
          number of tones.
        - `coverage`: sum of the squared gains over channels by frequency. Its extremes are, at linear
          stages, the frame bounds of the undecimated bank.
        - `spacing_distance`: Kolmogorov-Smirnov distance of best frequencies from an even spread between
          the lowest and highest tone, on four scales (`bank.spacing_distance`).
        - `neighbour_overlap`: mean cosine of the gains of neighbours in best frequency.
        - `equivalent_noise_bandwidth` per channel, also as a share of the stage's Nyquist frequency; beside
          it what J channels would have that share the band evenly and, at linear stages, the smallest that
          a kernel of L samples can have.
        - `linear_share` per channel: share of its power in the first harmonic, which is what follows the
          tone's phase as a linear stage does. The rest is mean shift and distortion.

    Raises
    ------
    InputError
        If a stage is not there, all are codes, or the stimuli are not single partials at one level, evenly
        spaced.

    Notes
    -----
    Averaged over K >= 3 phases, the product of two channels of frequency responses A and B to a tone of
    unit amplitude is ``Re(A conj(B)) / 2`` in every frame: a phase that both share cancels. The mean over
    the frequencies ``(i + 1/2) fs/N``, i < N/2, with even N no less than the kernels' length, is half
    the inner product of the kernels a and b *exactly*: all N frequencies together sum to ``sum_mn a[m]
    b[n] sum_i exp(-2 pi j (i + 1/2)(m - n)/N)``; the inner sum is ``N (-1)^r`` where ``m - n = r N`` and 0
    elsewhere, and no lag but 0 is a multiple of N; the upper N/2 conjugate the lower.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> banks = tiling(Session(load("filterbank:stft", sample_rate=2_000)))
    >>> float(banks.spacing_distance.sel(stage="first_layer", spacing="linear").round(2))
    0.01
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    stimuli = tiling_partials(encoder, stages) if stimuli is None else stimuli
    _check(encoder, stages, stimuli, phases)
    stimuli = stimuli[np.argsort(stimuli.columns["frequency_hz"])]
    sums = {s: _Accumulator(encoder.stages[s], len(stimuli)) for s in stages if encoder.stages[s].has_power}
    plan = respond(
        session, stimuli, stages, _reducer(encoder.sample_rate),
        lambda stage, rows, values: sums[stage].take(rows, values) if values else None,
        phases=phases, frames=frames, label=f"{encoder.name}: {len(stimuli)} partials for tiling",
    )  # fmt: skip
    frequency = stimuli.columns["frequency_hz"]
    variables = {
        "frequency": frequency,
        "spacing": np.array(SPACINGS),
        "level_dbfs": np.asarray(stimuli.coordinates["level_dbfs"][0]),
        **stage_coordinates(encoder, stages, plan),
    }
    with one_thread():
        columns = [_columns(sums[s], encoder.sample_rate, frequency) if s in sums else {} for s in stages]
    variables |= _padded(columns, {name: len(np.atleast_1d(v)) for name, v in variables.items()})
    return dataset(VARIABLES["tiling"], variables, run_attributes(phases, plan, stimuli))


def tiling_partials(
    encoder: Encoder, stages: Sequence[str] | None = None, level_dbfs: float = -20.0
) -> StimulusSet:
    """Build the partials that `tiling` plays by default: ``(i + 1/2) fs / N``, evenly from 0 to ``fs/2``.

    N is even and no less than the longest bounded receptive field among `stages` (of the encoder, for those
    without bounds), which makes inner products exact (see `tiling`); and twice that of linear stages, whose
    gains it determines wholly. It is at least 1024 and at most 2048.

    Parameters
    ----------
    encoder : Encoder
    stages : sequence of str, optional
        The canonical ones the encoder has, by default.
    level_dbfs : float
        As in `tonotopy.synth.partials`.

    Returns
    -------
    stimuli : StimulusSet

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> tiling_partials(load("filterbank:gammatone")).coordinates["f0_hz"][:2]
    array([ 5.859375, 17.578125])
    """
    sums = [encoder.stages[s] for s in chosen_stages(encoder, stages)]
    lengths = [resolving_length(encoder, s) * (2 if s.is_linear else 1) for s in sums]
    tones = (min(max(FEWEST_BINS, *lengths), MOST_BINS) + 1) // 2
    return partials_at((np.arange(tones) + 0.5) * encoder.sample_rate / (2 * tones), level_dbfs=level_dbfs)


class _Accumulator:
    """What a stage answered so far, re the tones' amplitude.

    `power` [C, n] is the mean squared deviation from silence, `linear_power` its first harmonic's part;
    `products` [C, C] are the inner products of deviations.
    """

    def __init__(self, stage: Stage, n_tones: int) -> None:
        self.stage = stage
        self.power = np.zeros((stage.channels, n_tones))
        self.linear_power = np.zeros((stage.channels, n_tones))
        self.products = np.zeros((stage.channels, stage.channels))

    def take(self, rows: slice, values: Mapping[str, np.ndarray]) -> None:
        self.power[:, rows] = values["power"].T
        self.linear_power[:, rows] = values["linear_power"].T
        self.products += values["products"].sum(0)


def _reducer(sample_rate: int) -> Reducer:
    """Reduce steady frames to `power` and `linear_power` [b, C], and a tile's `products` [1, C, C].

    The first harmonic: frame t hears the partial turned by ``2 pi f hop t / fs`` more than frame 0, phase k
    by ``2 pi k / K`` more than phase 0; the deviation is correlated with ``exp(-j turn)``.
    """

    def reduce(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
        if not stage.has_power:
            return {}
        chosen = sampled_frames(stage, activations.shape[-1])
        there = chosen.to(activations.device)
        at_rest = silence[..., there].float()
        amplitude = torch.as_tensor(stimuli.columns["amplitude"]).to(at_rest)
        deviation = (activations[..., there].float() - at_rest) / amplitude[:, None, None, None]
        power = deviation.square().mean((1, 3))  # [b, C]
        noise = FLOAT_NOISE * at_rest.square().mean(-1).sqrt() / amplitude[:, None]
        n_phases = activations.shape[1]
        per_frame = torch.as_tensor(stimuli.columns["frequency_hz"]) * stage.hop / sample_rate  # cycles
        cycles = per_frame[:, None, None] * chosen + (torch.arange(n_phases) / n_phases)[:, None]
        turn = 2 * torch.pi * (cycles % 1.0)  # [b, K, F], in float64: frames may be many
        wave = torch.stack([turn.cos(), turn.sin()], -1).to(deviation)
        first = torch.einsum("bkcf,bkfp->bcp", deviation, wave) / (n_phases * len(chosen))  # half of it
        flat = deviation.transpose(0, 2).flatten(1)  # [C, K b F]
        return {
            "power": torch.where(power > noise.square(), power, 0.0),
            "linear_power": 2 * first.square().sum(-1),
            "products": (flat @ flat.T)[None] / (n_phases * len(chosen)),
        }

    return reduce


def _check(encoder: Encoder, stages: Sequence[str], stimuli: StimulusSet, phases: int) -> None:
    if phases < 3:
        raise InputError(f"phases {phases}: at least 3 make inner products at a linear stage exact")
    if not any(encoder.stages[s].has_power for s in stages):
        raise InputError(f"tiling: {', '.join(stages)} of {encoder.name} holds codes, which have no response")
    check_single(stimuli, "tiling")
    levels = np.unique(coordinate(stimuli, "level_dbfs", "tiling"))
    if len(levels) > 1:
        raise InputError(f"tiling: takes partials at one level, not {len(levels)}")
    steps = np.diff(np.sort(stimuli.columns["frequency_hz"]))
    if not len(steps) or steps.min() <= 0 or np.ptp(steps) > UNEVEN * steps.mean():
        raise InputError("tiling: takes at least two partials, evenly spaced in frequency")


def _columns(sums: _Accumulator, sample_rate: int, frequency: np.ndarray) -> dict[str, np.ndarray | float]:
    """Numbers of one stage."""
    live = np.flatnonzero(sums.power.any(1))
    if len(live) == 0:
        return {"n_live": 0}
    stage, length = sums.stage, sums.stage.receptive_field
    gain = np.sqrt(2 * sums.power[live])  # [J, n]
    gram = gram_matrix(sums.products[np.ix_(live, live)])
    best, height = peaks(frequency, gain)
    order = in_order(best, gain)
    bandwidth = (gain**2).sum(1) * (frequency[1] - frequency[0]) / height**2
    per_channel = {
        "best_frequency": best,
        "equivalent_noise_bandwidth": bandwidth,
        "nyquist_share": bandwidth / (sample_rate / (2 * stage.hop)),
        "linear_share": sums.linear_power[live].sum(1) / sums.power[live].sum(1),
    }
    largest, mean = mutual_coherence(gram)
    limit, rank = len(live), effective_rank(gram)
    out = {
        "n_live": len(live),
        "mutual_coherence": largest,
        "mean_coherence": mean,
        "effective_rank": rank,
        "neighbour_overlap": neighbour_overlap(gain[order]),
        "even_bandwidth": sample_rate / 2 / len(live),
        **coverage_columns(gain),
    }
    if stage.is_linear and length is not None:
        limit = min(limit, length, 2 * len(frequency))
        out["welch_bound"] = welch_bound(len(live), length)
        per_channel["noise_bandwidth_floor"] = noise_bandwidth_floor(best, sample_rate, length)
    for name, values in per_channel.items():
        column = np.full(stage.channels, np.nan)
        column[live] = values
        out[name] = column
    kept = order[np.linspace(0, len(live) - 1, min(len(live), GRAM_CHANNELS)).round().astype(int)]
    ends = frequency[0], frequency[-1]
    return out | {
        "gram": gram[np.ix_(kept, kept)],
        "gram_channel": live[kept],
        "effective_rank_share": rank / limit,
        "spacing_distance": np.array([spacing_distance(best, *ends, spacing) for spacing in SPACINGS]),
    }


def _padded(
    columns: Sequence[Mapping[str, np.ndarray | float]], sizes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Bring the numbers of all stages together: name -> [stage, ...], padded with NaN, integers with -1."""
    ranks = max((len(np.atleast_1d(c.get("gram_channel", []))) for c in columns), default=0)
    sizes = {**sizes, "rank": ranks, "rank_2": ranks}
    merged: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for c in columns for name in c):
        shape = [sizes[dim] for dim in VARIABLES["tiling"][name].dims]
        empty, kind = {"gram_channel": (-1, np.int64), "gram": (np.nan, np.float32)}.get(
            name, (np.nan, np.float64)
        )
        merged[name] = np.full(shape, empty, dtype=kind)
        for i, column in enumerate(columns):
            if name in column:
                block = np.asarray(column[name])
                merged[name][(i, *(slice(0, n) for n in block.shape))] = block
    return merged | {dim: np.arange(ranks) for dim in ("rank", "rank_2") if "gram" in merged}


def _below_lowest_centre(sample_rate: int, result: xr.Dataset) -> float:
    """Return the share of the ERB-rate scale, from lowest to highest tone, below 50 Hz."""
    frequency = result["frequency"].values
    low, centre, high = erb_rate(np.array([frequency.min(), 50.0, frequency.max()]))
    return float((centre - low) / (high - low))


TILING = Probe(
    "tiling",
    question="How evenly, and how redundantly, do the channels share frequency out?",
    variables=VARIABLES["tiling"],
    measure=tiling,
    refuses=refuse_codes_alone,
    compared=Compared("channel", ("equivalent_noise_bandwidth", "nyquist_share", "linear_share")),
    known=(
        Known("filterbank:stft", "distance of best frequencies from even linear spacing",
              *near(0, 0.01, "at most 0.01"), mean_of("spacing_distance", "linear")),
        Known("filterbank:gammatone", "distance of best frequencies from even ERB spacing, re what lies "
              "below the lowest centre", *near(1, 0.03, "1 ± 0.03"),
              mean_of("spacing_distance", "erb", _below_lowest_centre)),
        Known("control:decimator", "highest re lowest response over frequency, dB",
              *near(0, 0.001, "0 ± 0.001"), mean_of("frame_bound_ratio")),
    ),
)  # fmt: skip
