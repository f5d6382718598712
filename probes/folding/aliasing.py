"""Aliasing: where the power of a tone goes when a stage keeps only every so many samples."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.runtime import one_thread
from ..engine.schema import dataset, stacked_stages, stage_coordinates
from ..engine.session import Session
from ..engine.stages import check_below_nyquist, chosen_stages, resolving_length, run_attributes, tone_grid
from ..statistics.finite import finite_mean
from ..statistics.resampling import RESAMPLES, permutation_p
from .coherence import coherence, coherent_pairs, coherent_partials
from .collapse import collapse, collapse_remark
from .folding import components, fold
from .ledger import FLOOR_DB, Books, keep_ledger
from .variables import VARIABLES

MAP_ROWS = 51  # of the alias map, from DC to the stage's Nyquist frequency
LEVELS_DBFS = (-40.0, -20.0, 0.0)
FOLD = 1  # index of the component, and of a single tone's line


def aliasing(
    session: Session[Encoder], stimuli: StimulusSet | None = None, *, n_samples: int | None = None
) -> xr.Dataset:
    """Keep the books of every tone's output power: what folds where it must, and what does not.

    The *ledger* splits the power of each channel's deviation from silence into shares that sum to 1:
    `mean_shift` (a steady offset), `fold` (the tone itself, at ``|f - round(f / R) R|`` for a frame rate
    R), `harmonic_2` to `harmonic_5` (at their folds) and `rest`. A linear stage has only `fold`. Where two
    predicted frequencies are one, the earlier component gets the power, and `coincident` says so.

    Parameters
    ----------
    session : Session
        At the canonical stages by default.
    stimuli : StimulusSet, optional
        Single partials with whole cycles in the window (`coherence`), at one or several levels; by
        default those of `coherent_partials`.
    n_samples : int > 0, optional
        Length of the window, as in `coherence`.

    Returns
    -------
    aliasing : xarray.Dataset
        Per tone, stage and channel the ledger (`share`), NaN where the response is below -80 dB re the
        stage's strongest channel (response and silence added up), and for tones to which the whole stage
        answers below -100 dB re its strongest tone, `n_below_floor` in all; the same for the bank, power
        added up over channels (`bank_share`), beside the share at the folds of the other tones
        (`null_share`) and the p-value of dealing the predictions at random (`fold_p`). The alias map.
        `rejection`: mean power response above the stage's Nyquist frequency re below. `similarity` of
        patterns for every pair of tones, NaN for tones that get less than a thousandth of the mean power
        (rejected, they are no sound that could collapse), the `collapse`, and a `remark` where none can be
        measured or nothing shares a fold. `level_effect`: share of the bank's power that changes its
        component from the lowest to the highest level. For codes, which have no power, the probability
        that one differs from silence's.

    Raises
    ------
    InputError
        If the stimuli are not single coherent partials, every frequency once at every level, or what
        `coherence` and `respond` raise.

    Notes
    -----
    A tone of J cycles in a window of N frames, J and N without common divisor, puts each harmonic
    into one bin of the N-point transform, and meets N phases, equally spaced, so that one starting phase
    suffices. Patterns hold a complex vector over channels for each output frequency and are compared
    whatever its common phase (`Patterns.similarity`): what channels tell by phase counts as much as what
    they tell by size, so that neither their basis nor the layout of samples in channels and frames
    matters, and one channel is enough to tell two folds apart. What harmonics tell by their phases
    relative to each other does not count.

    Pairs of tones count for `collapse` if they lie further apart than 4 fs/L, the main lobe of a Hann
    window as long as the receptive field L (the longest bounded one where L is not), or than fs/8.

    Source: coherent sampling, IEEE Std 1241-2010, 4.1; the fold of a sampled sinusoid, Oppenheim &
    Schafer, Discrete-Time Signal Processing, 4.2.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> rectified = aliasing(Session(load("control:rectifier")))
    >>> share = rectified.share.isel(stage=0, channel=0).mean("frequency")
    >>> share.sel(component=["mean_shift", "fold", "harmonic_2", "harmonic_4"]).values.round(4)
    array([0.8106, 0.    , 0.1801, 0.0072], dtype=float32)
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    window = coherence(encoder, stages, n_samples)
    if stimuli is None:
        stimuli = coherent_partials(encoder, stages, n_samples=n_samples)
    levels, frequency, order = tone_grid(stimuli, "aliasing")
    measured = []
    for rows in order:
        label = f"{encoder.name}, aliasing"
        books, plan = keep_ledger(session, stimuli[rows], window, stages, label)
        with one_thread():
            ledgers = [_measured(encoder, books[s], frequency, session.seed) for s in stages]
        measured.append(stacked_stages(VARIABLES["aliasing"], ledgers))
    measures = {name: np.stack([m[name] for m in measured], -1) for name in measured[0]}
    if len(levels) > 1 and "bank_share" in measures:
        moved = np.abs(measured[-1]["bank_share"] - measured[0]["bank_share"]).sum(-1) / 2  # [S, n]
        measures["level_effect"] = finite_mean(moved)
    if "collapse" in measures:
        measures["remark"] = _remarks(measures["collapse"], measures["n_sharing"])
    if len(levels) == 1:
        measures = {n: values if n == "remark" else values[..., 0] for n, values in measures.items()}
    rates = np.array([encoder.sample_rate / encoder.stages[s].hop for s in stages])
    return dataset(
        VARIABLES["aliasing"],
        {
            **stage_coordinates(encoder, stages, plan),
            "frequency": frequency,
            "frequency_2": frequency,
            "component": np.array(components(1)),
            "output": np.linspace(0, 1, MAP_ROWS),
            "level_dbfs": levels if len(levels) > 1 else levels[0],
            "predicted_fold": fold(frequency, rates[:, None]),
            "coincident": np.stack([books[s].coincident for s in stages]),
            "apart": np.array([apart_hz(encoder, s) for s in stages]),
            **measures,
        },
        run_attributes(1, plan, stimuli) | {"coherent_samples": window.n_samples, "floor_db": FLOOR_DB},
    )


def intermodulation(
    session: Session[Encoder], stimuli: StimulusSet | None = None, *, n_samples: int | None = None
) -> xr.Dataset:
    """Keep the ledger of pairs of tones, with a share for intermodulation.

    Parameters
    ----------
    session, n_samples
        As in `aliasing`.
    stimuli : StimulusSet, optional
        Coherent pairs of partials; by default those of `coherent_pairs`.

    Returns
    -------
    intermodulation : xarray.Dataset
        `share` per pair, stage and channel and `bank_share` as in `aliasing`; `fold` and the harmonics
        hold both tones', `intermodulation` the folds of f1 + f2, f1 - f2, 2 f1 + f2, 2 f1 - f2, f1 + 2 f2
        and f1 - 2 f2.

    Raises
    ------
    InputError
        If a stimulus has not two partials, and what `aliasing` raises.

    Notes
    -----
    Source: second- and third-order intermodulation, IEC 60268-3:2018, 14.12.7 and 14.12.8.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> books = intermodulation(Session(load("control:decimator")))
    >>> books.bank_share.sel(component="fold").min().round(6).item()
    1.0
    """
    encoder, stages = session.encoder, chosen_stages(session.encoder, session.stages)
    window = coherence(encoder, stages, n_samples)
    if stimuli is None:
        stimuli = coherent_pairs(encoder, stages)
    if (np.diff(stimuli.first) != 2).any():
        raise InputError("intermodulation: every stimulus must have two partials")
    label = f"{encoder.name}, intermodulation"
    books, plan = keep_ledger(session, stimuli, window, stages, label)
    ledgers = [_ledger(books[s]) for s in stages]
    lower, upper = np.sort(stimuli.columns["frequency_hz"].reshape(-1, 2)).T
    return dataset(
        VARIABLES["intermodulation"],
        {
            **stage_coordinates(encoder, stages, plan),
            "pair": pair_labels(lower, upper),
            "lower": lower,
            "upper": upper,
            "component": np.array(components(2)),
            "coincident": np.stack([books[s].coincident for s in stages]),
            **stacked_stages(VARIABLES["intermodulation"], ledgers),
        },
        run_attributes(1, plan, stimuli) | {"coherent_samples": window.n_samples, "floor_db": FLOOR_DB},
    )


def pair_labels(lower_hz: np.ndarray, upper_hz: np.ndarray) -> np.ndarray:
    """Label pairs of partials by their frequencies.

    Examples
    --------
    >>> pair_labels(np.array([440.0]), np.array([556.25])).tolist()
    ['440.0 and 556.2 Hz']
    """
    return np.array([f"{a:.1f} and {b:.1f} Hz" for a, b in zip(lower_hz, upper_hz, strict=True)])


def apart_hz(encoder: Encoder, stage: str) -> float:
    """How far apart tones must lie to count for `collapse` at a stage, in Hz."""
    return encoder.sample_rate / max(8.0, resolving_length(encoder, encoder.stages[stage]) / 4)


def rejection_db(response: np.ndarray, frequency_hz: np.ndarray, nyquist_hz: float) -> np.ndarray:
    """Mean power response above a Nyquist frequency re that below it, in dB.

    Parameters
    ----------
    response : float [n, C]
        Linear, at each frequency.
    frequency_hz : float [n]
        Increasing. The means are over frequency, so that a logarithmic grid counts for no more.
    nyquist_hz : float

    Returns
    -------
    rejection : float64 [C]
        0 where the stage answers alike to what its frame rate can carry and to what it cannot; NaN
        without a tone on either side, or without an answer below.
    """
    power = np.asarray(response, dtype=float) ** 2
    above = frequency_hz > nyquist_hz
    if not above.any() or above.all():
        return np.full(power.shape[1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = _density(power[above], frequency_hz[above]) / _density(power[~above], frequency_hz[~above])
        return 10 * np.log10(ratio)


def _density(power: np.ndarray, frequency_hz: np.ndarray) -> np.ndarray:
    span = frequency_hz[-1] - frequency_hz[0]
    return np.trapezoid(power, frequency_hz, axis=0) / span if span > 0 else power.mean(0)


def _measured(encoder: Encoder, books: Books, frequency: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return what one stage's books say at one level."""
    stage, ledgers = books.stage, _ledger(books)
    if not stage.has_power:
        return ledgers
    similarity = books.similarity()
    folds = books.bins[:, FOLD]
    shared, aligned = folds[:, None] == folds, books.similarity(aligned=True)
    found = collapse(similarity, aligned, shared, frequency, apart_hz(encoder, stage.name), seed)
    nyquist_hz = encoder.sample_rate / (2 * stage.hop)
    bank_response = np.linalg.norm(books.response, axis=1)[:, None]
    relative = _relative(books.bank)
    at_fold = relative[:, folds]  # [tone, whose prediction]
    return {
        **ledgers,
        "null_share": (at_fold.sum(1) - np.diag(at_fold)) / max(len(at_fold) - 1, 1),
        "fold_p": np.array(_dealt_p(at_fold, seed)),
        "alias_map": _mapped(relative),
        "rejection": rejection_db(books.response, frequency, nyquist_hz),
        "bank_rejection": rejection_db(bank_response, frequency, nyquist_hz)[0],
        "similarity": similarity.astype(np.float32),
        **{name: np.array(value) for name, value in asdict(found).items()},
    }


def _remarks(value: np.ndarray, n_sharing: np.ndarray) -> np.ndarray:
    """Say what is to be said of the collapse at each stage, once for all levels: [S, levels] -> [S]."""
    said = []
    for values, counts in zip(value, n_sharing, strict=True):
        there = [(v, int(n)) for v, n in zip(values, counts, strict=True) if np.isfinite(n)]  # not of codes
        said.append("; ".join(sorted({collapse_remark(v, n) for v, n in there} - {""})))
    return np.array(said)


def _ledger(books: Books) -> dict[str, np.ndarray]:
    if not books.stage.has_power:
        return {"change_probability": books.change_probability.T}
    return {
        "share": books.share.transpose(1, 0, 2),
        "response": books.response.T,
        "bank_share": books.bank_share,
        "n_below_floor": np.array(np.isnan(books.share[..., 0]).sum()),
    }


def _relative(bank: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return bank / bank.sum(1, keepdims=True)


def _dealt_p(at_fold: np.ndarray, seed: int) -> float:
    """P-value of the mean share at the predicted fold when predictions are dealt to tones at random."""
    at_fold = at_fold[np.isfinite(at_fold).all(1)][:, np.isfinite(at_fold).all(1)]
    if len(at_fold) < 2:
        return np.nan
    tone, generator = np.arange(len(at_fold)), np.random.default_rng(seed)
    null = [at_fold[tone, generator.permutation(len(tone))].mean() for _ in range(RESAMPLES)]
    return permutation_p(float(np.diag(at_fold).mean()), null)


def _mapped(relative: np.ndarray) -> np.ndarray:
    """Add up output bins [n, bins] into the rows of the alias map, [n, MAP_ROWS]."""
    n_bins = relative.shape[1]
    row = np.rint(np.arange(n_bins) / max(n_bins - 1, 1) * (MAP_ROWS - 1)).astype(int)
    into = np.zeros((n_bins, MAP_ROWS))
    into[np.arange(n_bins), row] = 1
    return relative @ into


LOSSLESS = (  # encoders that keep the tones of a fold apart, or in which none folds
    "filterbank:stft", "filterbank:stft_magnitude", "filterbank:stft_mixed", "filterbank:gammatone_envelope",
    "control:patches", "control:patches_mixed", "control:waveform", "control:downsampler", "control:permuted",
)  # fmt: skip


def _measure(
    session: Session[Encoder],
    low_hz: float = 60.0,
    high_hz: float = 10_000.0,
    level_dbfs: tuple[float, ...] = LEVELS_DBFS,
) -> xr.Dataset:
    tones = coherent_partials(
        session.encoder, session.stages, low_hz=low_hz, high_hz=high_hz, level_dbfs=level_dbfs
    )
    return aliasing(session, tones)


def _refuses(session: Session[Encoder], low_hz: float = 60.0, high_hz: float = 10_000.0, **_: object) -> None:
    coherent_partials(session.encoder, session.stages, low_hz=low_hz, high_hz=high_hz)
    check_below_nyquist(session.encoder, high_hz)


ALIASING = Probe(
    "aliasing",
    question="Where does the power of a tone go when a stage downsamples, and do tones become one sound?",
    variables=VARIABLES["aliasing"],
    measure=_measure,
    refuses=_refuses,
    compared=Compared("frequency", ("bank_share",)),
    known=(
        Known("control:decimator", "share of power at the predicted fold", *near(1, 1e-6, "1"),
              mean_of("bank_share", "fold")),
        Known("control:decimator", "collapse", *near(1, 0.01, "1.00 ± 0.01"), mean_of("collapse")),
        Known("control:rectifier", "share of the mean shift, 8 / pi^2",
              *near(0.8106, 0.002, "0.8106 ± 0.002"), mean_of("bank_share", "mean_shift")),
        Known("control:rectifier", "share of the second harmonic", *near(0.1801, 0.002, "0.1801 ± 0.002"),
              mean_of("bank_share", "harmonic_2")),
        Known("control:rectifier", "share of the fourth harmonic", *near(0.0072, 0.002, "0.0072 ± 0.002"),
              mean_of("bank_share", "harmonic_4")),
        Known("filterbank:stft", "share of power at the predicted fold", *near(1, 1e-6, "1"),
              mean_of("bank_share", "fold")),
        *(
            Known(name, "collapse", *near(0, 0.05, "0.00 ± 0.05"), mean_of("collapse"))
            for name in LOSSLESS
        ),
    ),
)  # fmt: skip
INTERMODULATION = Probe(
    "intermodulation",
    question="What do two tones make of each other?",
    variables=VARIABLES["intermodulation"],
    measure=intermodulation,
    compared=Compared("pair", ("bank_share",)),
    known=(
        Known("control:decimator", "share at the folds of a pair of tones", *near(1, 1e-6, "1"),
              mean_of("bank_share", "fold")),
    ),
)  # fmt: skip
