"""Interventions: remove a partial from the latent, decode, and listen for it and for its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr

from ...encoders.abilities import Decodes, codebooks_of
from ...encoders.base import Encoder, check_stages
from ...encoders.quantization import residual_quantization
from ...synth.errors import InputError
from ...synth.partials import amplitude_of
from ...synth.stimuli import Partial, Stimulus, StimulusSet
from ..engine.grid import PARTIALS, partial_grid
from ..engine.known import Known, mean_of
from ..engine.probe import Compared, Probe
from ..engine.runtime import flushing_denormals, holding_memory
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..statistics.finite import finite_mean, finite_mean_by
from ..statistics.resampling import bootstrap_interval, flipped_p
from .removal import (
    EQUAL_AMONG_OTHERS,
    EQUAL_OF,
    OWN_ALONE,
    OWN_AMONG_OTHERS,
    REMOVALS,
    Bench,
    Meter,
    Removal,
    Trial,
    beyond_random,
    removal,
)
from .variables import VARIABLES

DOSES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
LEVEL_DBFS = -26.0  # of each partial
SIZES = (4, 5, 6)  # partials of a mixture
STEPS_APART = 2  # of the grid, at least
MEASURED_S, CLIP_S = 0.25, 1.2
CLIPS = (
    "the mixture, decoded",
    "with the partial's plane removed",
    "played without the partial, decoded",
    "with a random plane of equal energy removed",
)


def interventions(
    session: Session[Encoder],
    *,
    stage: str = "latent",
    mixtures: StimulusSet | None = None,
    tested: int = 2,
    doses: Sequence[float] = DOSES,
    random_planes: int = 2,
) -> xr.Dataset:
    """Remove one partial of a mixture from the latent, decode, and measure every partial in the sound.

    If a component has a place of its own in the latent, taking that place out must silence the component
    and leave the others alone. With z the latent of the mixture, z0 that of silence and P the partial's
    response plane in a frame (`response_planes`: two directions, from eight phases), the frame becomes
    ``z - dose P P^T (z - z0)``, in all frames. The sound is decoded, and what is in it beyond what silence
    decodes to is fitted by all partials, by least squares in the steady part. Changes are in dB re the
    same latent decoded as it is, so that what the codec itself does to the sound does not count;
    `reference_db` says what that is.

    P comes from two places: from the partial *alone*, which is what a reusable component promises;
    and from the partial *among others*, the rest of this mixture, which is the best that a plane can do
    here and now. Three kinds of plane stand against them. *A random plane* of equal rank holds next to
    nothing of a latent with many channels, and so does next to nothing. *A random plane of equal energy*
    therefore holds, in every frame, just as much of z - z0 as the plane that it is compared with, so that
    either of the two has its own: one direction is turned from z - z0 towards a random one until it does,
    the other holds nothing. *The plane of an absent partial* tells whether it matters whose plane is
    taken. `channels_removed_db` is what comes of setting whole channels to their silence, those first that
    answer most to the partial alone; and *ideal* is the mixture played without the partial, encoded and
    decoded.

    Lost trials are kept: a partial that the codec does not transmit, or none of whose neighbours it does,
    has no level that could change (NaN), and is counted in `lost`. No change of the latent can remove it,
    so `beyond_db`, what the claim of removable partials is judged by, counts it as 0 dB.

    What a removal cannot tell: whether partials are represented, or only left alone. A partial comes out
    clean wherever encoder and decoder are linear, whatever the latent means: raw samples, taken as latent
    and as sound, lose a partial by 55 dB more than its neighbours, though nothing was learned; and bent by
    the mu law, which loses nothing, by next to nothing. So a specific removal says that the latent adds up.

    Parameters
    ----------
    session : Session
        Of an encoder with ``decode(latent, scale=None) -> waveforms``.
    stage : str
        Whose activations `decode` takes: "latent", or the quantized ones.
    mixtures : StimulusSet, optional
        Sums of steady partials. By default `intervention_mixtures`.
    tested : int > 0
        Partials of each mixture that are removed, one at a time, drawn at random.
    doses : sequence of float
        From 0, with 1 among them. 0 is 0 dB by definition.
    random_planes : int > 0
        Random planes, of each kind, for each partial; dB are averaged over them.

    Returns
    -------
    result : xarray.Dataset
        See `interventions.variables`, "interventions". Partials that the codec does not transmit
        (60 dB below what was played, or under four times what the noise beside them would give in the fit)
        are NaN. Means and intervals in dB are over mixtures, of what is transmitted. `specific_p`: signs of
        `beyond_db` flipped by mixture, one tail. Quantized: the latent is quantized after the removal, and
        before it for the reference; where the encoder has codebooks. `sound` is of the first trial whose
        partial is transmitted.

    Raises
    ------
    InputError
        If the encoder cannot decode, the stage is not there, or a number is out of range.

    Notes
    -----
    Source: projecting out a subspace as a causal test, Ravfogel et al., Null It Out, arXiv 2004.07667,
    with the random projections of Elazar et al., Amnesic Probing, arXiv 2006.00995 as null.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> interventions(Session(load("control:decimator")))
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: control:decimator: cannot decode, so nothing removed could be measured
    """
    encoder, seed = session.encoder, session.seed
    if not isinstance(encoder, Decodes):
        raise InputError(f"{encoder.name}: cannot decode, so nothing removed could be measured")
    check_stages(encoder, [stage])
    if mixtures is None:
        mixtures = intervention_mixtures(encoder.sample_rate, seed=seed)
    dose = np.asarray(doses, dtype=np.float64)
    _check(encoder, mixtures, dose, tested, random_planes)
    trials = _trials(mixtures, tested, encoder.sample_rate, seed)
    task = session.progress.task(f"{encoder.name}: {len(trials)} removals", len(trials))
    with flushing_denormals(), holding_memory(), task as advance:
        bench = Bench.of(encoder, stage, mixtures, MEASURED_S)

        def tried(number: int) -> dict[str, np.ndarray]:
            trial = trials[number]
            found = removal(bench, trial, random_planes, [seed, 22, number])
            return _tried(bench, trial, found, dose) | _quantized(bench, trial, found)

        rows = []
        kept = session.blocks("removals", stage, mixtures.sha256, tested, dose.tolist(), random_planes)
        for row in kept.each(len(trials), tried):
            rows.append(row)
            advance(1)
        shown = next((i for i, row in enumerate(rows) if np.isfinite(row["reference_db"])), 0)
        clips = _clips(Bench.of(encoder, stage, mixtures, CLIP_S), trials[shown], [seed, 22, shown])
    variables: dict[str, np.ndarray] = {
        name: np.stack([row[name] for row in rows], axis=-1)[None] for name in rows[0]
    }
    mixture = np.array([trial.mixture for trial in trials])
    removed = np.array([trial.own.frequency_hz for trial in trials])
    variables |= _summary(variables, mixture, dose, seed)
    coordinates = stage_coordinates(encoder, [stage], bench.plan)
    del coordinates["channel"]
    variables |= coordinates | {
        "trial": trial_labels(removed, mixture),
        "mixture": mixture,
        "removed_frequency": removed,
        "n_partials": np.array([len(trial.partials) for trial in trials]),
        "removal": np.array(REMOVALS),
        "dose": dose,
        "channels_removed": np.array(_counts(encoder.stages[stage].channels)),
        "clip": np.array(CLIPS),
        "clip_sample": np.arange(clips.shape[1]),
        "sound": clips,
        "remark": np.array([_remark(int(variables["lost"][0]), len(trials))]),
    }
    if "quantized_removed_db" in variables:
        variables["codebooks"] = np.array(_counts(len(bench.encoder.codebooks)))
    attributes = {
        "seed": seed,
        "random_planes": random_planes,
        "stimuli_sha256": mixtures.sha256,
        "sample_rate": encoder.sample_rate,
        "clip_trial": shown,
    }
    return dataset(VARIABLES["interventions"], variables, attributes)


def trial_labels(removed_hz: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """Label trials by what is removed from which mixture, the first being 1.

    Examples
    --------
    >>> trial_labels(np.array([440.0, 1000.0]), np.array([0, 0])).tolist()
    ['440 Hz of mixture 1', '1000 Hz of mixture 1']
    """
    return np.array([f"{f:.0f} Hz of mixture {m + 1}" for f, m in zip(removed_hz, mixture, strict=True)])


def intervention_mixtures(sample_rate: float, count: int = 12, seed: int = 0) -> StimulusSet:
    """Return mixtures of 4 to 6 of the 16 partials from 120 to 6000 Hz, none of them neighbours on that grid.

    Examples
    --------
    >>> mixtures = intervention_mixtures(24_000)
    >>> len(mixtures), sorted(set(np.diff(mixtures.first).tolist()))
    (12, [4, 5, 6])
    """
    generator = np.random.default_rng([seed, 20])
    grid = partial_grid(sample_rate)
    amplitude = float(amplitude_of(LEVEL_DBFS))
    found = []
    for number in range(count):
        size = SIZES[number % len(SIZES)]
        # so many of what is left of the grid, then apart by what the steps between them take
        places = np.sort(generator.choice(PARTIALS - (STEPS_APART - 1) * (size - 1), size, replace=False))
        frequency = grid[places + (STEPS_APART - 1) * np.arange(size)]
        phase = generator.uniform(0, 2 * np.pi, size)
        found.append(
            Stimulus(
                tuple(Partial(float(f), amplitude, float(p)) for f, p in zip(frequency, phase, strict=True))
            )
        )
    return StimulusSet.of(found)


def _trials(mixtures: StimulusSet, tested: int, sample_rate: float, seed: int) -> list[Trial]:
    """Draw the partials to remove, and for each one that sounds nowhere near any of the mixture's."""
    generator = np.random.default_rng([seed, 21])
    grid, found = partial_grid(sample_rate), []
    for number in range(len(mixtures)):
        partials = mixtures.stimulus(number).partials
        there = np.array([p.frequency_hz for p in partials])
        apart = np.abs(np.log(grid[:, None] / there)).min(1)
        free = np.flatnonzero(apart > 0.5 * np.log(grid[1] / grid[0]))
        free = free if len(free) else np.array([apart.argmax()])
        for which in np.sort(generator.choice(len(partials), min(tested, len(partials)), replace=False)):
            absent = Partial(float(grid[generator.choice(free)]), partials[which].amplitude)
            found.append(Trial(number, partials, int(which), absent))
    return found


def _tried(bench: Bench, trial: Trial, found: Removal, doses: np.ndarray) -> dict[str, np.ndarray]:
    """Do every removal of one trial and measure what is left: [removal, dose] each."""
    meter = Meter.of(bench, trial, found.mixture, found.scale)
    moved = found.mixture - bench.silence
    wanted = doses[doses > 0]
    out: dict[str, np.ndarray] = {"reference_db": np.array(meter.reference_db)}
    curves: dict[str, list[np.ndarray]] = {}
    for name in REMOVALS:
        dosed = torch.stack([found.mixture - float(d) * part for part in found.taken[name] for d in wanted])
        for key, change in meter.changes(dosed).items():
            full = np.full(len(doses), 0 * change[0])  # dose 0 is no change; NaN stays NaN
            full[doses > 0] = change.reshape(-1, len(wanted)).mean(0)
            curves.setdefault(key, []).append(full)
    out |= {key: np.array(values) for key, values in curves.items()}
    energy = float(moved.square().sum())
    held = [np.mean([float(part.square().sum()) for part in found.taken[name]]) for name in REMOVALS]
    out["held"] = np.array(held) / energy if energy > 0 else np.full(len(held), np.nan)
    silenced = torch.stack([_without(found, bench, n) for n in _counts(len(moved))])
    channels = meter.changes(silenced)
    out["channels_removed_db"] = channels["removed_db"]
    out["channels_neighbours_db"] = channels["neighbours_db"]
    ideal = meter.changes(found.others[None], found.others_scale)
    return out | {f"ideal_{key}": ideal[key][0] for key in ("removed_db", "neighbours_db")}


def _counts(most: int) -> list[int]:
    """1, 2, 4 ... and `most`.

    Examples
    --------
    >>> _counts(8), _counts(6)
    ([1, 2, 4, 8], [1, 2, 4, 6])
    """
    return [1 << n for n in range(most.bit_length()) if 1 << n < most] + [most]


def _without(found: Removal, bench: Bench, count: int) -> torch.Tensor:
    """Return the mixture's latent with the `count` channels that answer most set to their silence."""
    latent, chosen = found.mixture.clone(), found.channels[:count]
    latent[chosen] = bench.silence[chosen]
    return latent


def _quantized(bench: Bench, trial: Trial, found: Removal) -> dict[str, np.ndarray]:
    """Remove the plane found among others, quantize, decode: changes re the mixture alike, [codebooks]."""
    codebooks = codebooks_of(bench.encoder)
    if not codebooks or bench.stage != "latent":
        return {}
    both = torch.stack([found.mixture, found.mixture - found.taken[OWN_AMONG_OTHERS][0]])
    sums = residual_quantization(both.transpose(1, 2), [book.cpu() for book in codebooks]).vectors
    changes: dict[str, list[float]] = {"removed_db": [], "neighbours_db": []}
    for n in _counts(len(codebooks)):
        before, after = sums[:, :, n - 1].transpose(1, 2)  # [C, F]
        by_name = Meter.of(bench, trial, before, found.scale).changes(after[None])
        for key, values in changes.items():
            values.append(float(by_name[key][0]))
    return {f"quantized_{key}": np.array(values) for key, values in changes.items()}


def _clips(bench: Bench, trial: Trial, seed: Sequence[int]) -> np.ndarray:
    """Render what `CLIPS` names, float32 [clips, T]."""
    found = removal(bench, trial, 1, seed)
    own, other = (found.mixture - found.taken[name][0] for name in (OWN_AMONG_OTHERS, EQUAL_AMONG_OTHERS))
    mixture, without_own, without_other = bench.decode(torch.stack([found.mixture, own, other]), found.scale)
    ideal = bench.decode(found.others[None], found.others_scale)[0]
    return np.stack([mixture, without_own, ideal, without_other])[:, bench.measured].astype(np.float32)


def _summary(
    by_name: Mapping[str, np.ndarray], mixture: np.ndarray, doses: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Means and intervals over mixtures, and the test against random planes of equal energy."""
    out: dict[str, np.ndarray] = {}
    for name in ("removed", "neighbours"):
        values = finite_mean_by(by_name[f"{name}_db"], mixture)  # [1, removal, dose, mixtures]
        out[f"mean_{name}_db"] = finite_mean(values)
        ends = [bootstrap_interval(v[np.isfinite(v)], seed) for v in values.reshape(-1, values.shape[-1])]
        low, high = np.array(ends).T.reshape(2, *values.shape[:-1])
        out |= {f"mean_{name}_low": low, f"mean_{name}_high": high}
    full = doses.tolist().index(1.0)
    specific = (by_name["neighbours_db"] - by_name["removed_db"])[:, :, full]  # [1, removal, trial]
    beyond = beyond_random(specific)
    p = [flipped_p(v[np.isfinite(v)], [seed, 23]) for v in finite_mean_by(beyond, mixture)[0]]
    p = [value if name in EQUAL_OF else np.nan for name, value in zip(REMOVALS, p, strict=True)]
    lost = np.isnan(specific[:, REMOVALS.index(OWN_AMONG_OTHERS)]).sum(-1)
    return out | {
        "specific_db": specific,
        "beyond_db": beyond,
        "specific_p": np.array([p]),
        "lost": lost,
    }


def _remark(lost: int, trials: int) -> str:
    if not lost:
        return ""
    return f"{lost} of {trials} partials are not transmitted by the codec, or none of their neighbours is"


def _check(
    encoder: Encoder, mixtures: StimulusSet, doses: np.ndarray, tested: int, random_planes: int
) -> None:
    for name, value in (("tested", tested), ("random_planes", random_planes)):
        if value < 1:
            raise InputError(f"{name} {value}: must be at least 1")
    if (
        doses.ndim != 1
        or not np.isfinite(doses).all()
        or len(doses) == 0
        or doses[0] != 0
        or 1.0 not in doses
    ):
        raise InputError(f"doses {doses.tolist()}: must begin with 0 and hold 1")
    if (np.diff(doses) <= 0).any():
        raise InputError(f"doses {doses.tolist()}: must rise")
    if (np.diff(mixtures.first) < 2).any() or len(mixtures.contexts):
        raise InputError("interventions: takes mixtures of at least two partials, without context")
    mixtures.below_nyquist(encoder.sample_rate)


def _refuses(session: Session[Encoder], stage: str = "latent", **_: object) -> str | None:
    if not isinstance(session.encoder, Decodes):
        name = session.encoder.name
        return f"{name} cannot decode: it needs a decoder (your own network: wrap(..., decode=...))"
    if stage not in (session.stages or session.encoder.stages):
        return f"{stage} is not among the stages"
    return None


INTERVENTIONS = Probe(
    "interventions",
    question="Does taking a partial's place out of the latent silence it, and nothing else?",
    variables=VARIABLES["interventions"],
    measure=interventions,
    refuses=_refuses,
    compared=Compared("trial", ("beyond_db", "specific_db", "reference_db")),
    known=(
        Known("control:identity_codec", "dB a partial falls beyond random planes", 20, np.inf, "at least 20",
              mean_of("beyond_db", OWN_ALONE)),
        Known("control:mu_law_codec", "dB a partial falls beyond random planes", -6, 6, "-6 to 6",
              mean_of("beyond_db", OWN_ALONE)),
    ),
)  # fmt: skip
