"""Interventions: what becomes of a partial and of its neighbours when the latent loses its plane."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.interventions.interventions import CLIPS
from ....probes.interventions.removal import (
    ABSENT,
    EQUAL_ALONE,
    EQUAL_AMONG_OTHERS,
    EQUAL_OF,
    OWN_ALONE,
    OWN_AMONG_OTHERS,
    RANDOM,
)
from ...writing import hertz
from ..drawing import DARK, LABEL_SIZE, THIRD, TRAINED, Illustration, canvas, frequency_axis, one_legend
from ..drawing import RANDOM as ORANGE

DEEPEST_DB = -60.0  # lower changes are drawn there
SPECTRUM_DB = -50.0
LOWEST_HZ, HIGHEST_HZ, PER_OCTAVE = 80.0, 10_000.0, 36
BANDED = (OWN_AMONG_OTHERS, EQUAL_AMONG_OTHERS)  # whose intervals are drawn
LINES = (
    ("removed", OWN_AMONG_OTHERS, TRAINED, "o-", "partial: plane among others"),
    ("removed", OWN_ALONE, TRAINED, "s--", "partial: plane alone"),
    ("neighbours", OWN_AMONG_OTHERS, DARK, "^-", "neighbours: plane among others"),
    ("neighbours", OWN_ALONE, DARK, "v--", "neighbours: plane alone"),
    ("removed", RANDOM, ORANGE, "x-", "partial: random plane"),
    ("removed", EQUAL_AMONG_OTHERS, ORANGE, "D-", "partial: random, as among others"),
    ("removed", EQUAL_ALONE, ORANGE, "s--", "partial: random, as alone"),
    ("removed", ABSENT, THIRD, "P-.", "partial: an absent one's plane"),
)


def dose_response(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw levels of the removed partial and of its neighbours over the dose, beside random planes.

    Parameters
    ----------
    result : xarray.Dataset
        Group "interventions" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; only what they transmit is given.
    name : str
        What the encoder is called.
    """
    one = result.isel(stage=0)
    with canvas(6.3, f"{name}: a partial removed from its {result['stage'].values[0]}") as figure:
        doses, channels = figure.subplots(2, height_ratios=(1.5, 1))
        for who, removal, color, style, label in LINES:
            _curve(doses, one.sel(removal=removal), who, color, style, label)
        ideal = float(one["ideal_removed_db"].mean())
        doses.axhline(max(ideal, DEEPEST_DB), color=TRAINED, lw=0.9, ls=":", label="partial: never played")
        doses.set(xlabel="dose (1 = all of it)")
        for variable, color, style in (("removed", TRAINED, "o-"), ("neighbours", DARK, "^-")):
            change = _drawn(one[f"channels_{variable}_db"].mean("trial").values)
            channels.plot(one["channels_removed"], change, style, color=color, ms=4.5)
        channels.set_xscale("log", base=2)
        channels.set_xticks(one["channels_removed"].values, [f"{n}" for n in one["channels_removed"].values])
        channels.minorticks_off()
        channels.set_xlabel("channels silenced, those first that answer most")
        figure.supylabel("change in the sound (dB)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "dose-response",
        "Dose and response",
        figure,
        "Does a partial vanish from the sound, and it alone, when the latent loses its plane?",
        _reading(one) + _untrained(random),
        f"Curves of the change in dB of a partial and of its neighbours in the sound decoded by {name}, over "
        "the share of its plane that is removed, with random planes, and over whole channels silenced.",
    )


def intervention_spectra(result: xr.Dataset, name: str = "") -> Illustration:
    """Draw the spectrum of the first trial's sounds, before and after.

    Parameters
    ----------
    result : xarray.Dataset
        Group "interventions" of the encoder.
    name : str
        What the encoder is called.
    """
    frequency = float(result["removed_frequency"].isel(trial=result.attrs["clip_trial"]))
    spectra = {str(clip): _spectrum(result, str(clip)) for clip in result["clip"].values}
    loudest = spectra[CLIPS[0]][1].max()
    with canvas(1.3 + 1.5 * (len(CLIPS) - 1), f"{name}: {hertz(frequency)} removed from a mixture") as figure:
        grid = figure.subplots(len(CLIPS) - 1, sharex=True, sharey=True)
        for axes, clip in zip(grid, CLIPS[1:], strict=True):
            for which, color, width, label in (
                (CLIPS[0], ORANGE, 2.2, CLIPS[0]),
                (clip, TRAINED, 1.0, "after"),
            ):
                hz, level = spectra[which]
                axes.plot(hz, level - loudest, color=color, lw=width, label=label)
            axes.axvline(frequency, color=DARK, lw=0.9, ls=":")
            axes.set_title(clip)
            axes.set_ylim(SPECTRUM_DB, 5)
        frequency_axis(grid[-1], "x", LOWEST_HZ, HIGHEST_HZ, "frequency (Hz)")
        figure.supylabel("level (dB re the loudest)", size=LABEL_SIZE)
        one_legend(figure)
    changes = [
        _level_at(spectra[clip], frequency) - _level_at(spectra[CLIPS[0]], frequency) for clip in CLIPS[1:]
    ]
    return Illustration(
        "intervention-spectra",
        "Spectra of an intervention",
        figure,
        "What does one such removal do to the rest of the spectrum?",
        "The first trial whose partial the codec transmits, not the best; it can be heard on this page. "
        f"The dotted line marks the partial, at {hertz(frequency)}. It changes by "
        f"{'; '.join(f'{change:z.0f} dB {clip}' for change, clip in zip(changes, CLIPS[1:], strict=True))}.",
        f"Spectra of a mixture decoded by {name}, before and after a partial at {hertz(frequency)} is "
        "removed from the latent, beside the mixture played without it and a random plane removed.",
    )


def transmitted(result: xr.Dataset) -> int:
    """Return how many of the partials that were to be removed the codec transmits."""
    return int(result["reference_db"].notnull().sum())


def _curve(axes: Axes, one: xr.Dataset, who: str, color: str, style: str, label: str) -> None:
    axes.plot(
        one["dose"], _drawn(one[f"mean_{who}_db"].values), style, color=color, ms=4.5, lw=1.4, label=label
    )
    if str(one["removal"].values) in BANDED:
        low, high = (_drawn(one[f"mean_{who}_{end}"].values) for end in ("low", "high"))
        axes.fill_between(one["dose"], low, high, color=color, alpha=0.15, lw=0)


def _drawn(change_db: np.ndarray) -> np.ndarray:
    return np.maximum(change_db, DEEPEST_DB)


def _reading(one: xr.Dataset) -> str:
    full = one.sel(dose=1.0)

    def change(removal: str, who: str) -> str:
        mean, low, high = (float(full[f"mean_{who}_{k}"].sel(removal=removal)) for k in ("db", "low", "high"))
        return f"{mean:z.1f} dB ({low:z.1f} to {high:z.1f})"

    said = [
        f"by {change(removal, 'removed')} and its neighbours by {change(removal, 'neighbours')} with {which}"
        for removal, which in (
            (OWN_AMONG_OTHERS, "its plane measured among others"),
            (EQUAL_AMONG_OTHERS, "a random one of that energy"),
            (OWN_ALONE, "its plane measured alone"),
            (EQUAL_ALONE, "a random one of that energy"),
            (RANDOM, "a random plane of equal rank"),
        )
    ]
    beyond = "; ".join(
        f"{float(one['beyond_db'].sel(removal=own).mean()):z.1f} dB, p = "
        f"{float(one['specific_p'].sel(removal=own)):.3f}, {which}"
        for own, which in zip(EQUAL_OF, ("alone", "among others"), strict=True)
    )
    return (
        f"Of {one.sizes['trial']} partials the codec transmits {transmitted(one)}. At dose 1 one changes "
        f"{'; '.join(said)}. Its own plane is more specific than random ones of its energy by {beyond} "
        f"(signs flipped by mixture; {int(one['lost'])} trials without a level count as 0). Linear codecs "
        "lose partials cleanly whatever their latents mean. Bands are 95 % intervals over mixtures. Below, "
        "the same for channels set to their silence."
    )


def _untrained(random: Sequence[xr.Dataset]) -> str:
    if not random:
        return ""
    counts = ", ".join(str(transmitted(one)) for one in random)
    return (
        f" Of as many partials random networks transmit {counts}: without a decoder there is nothing to hear."
    )


def _spectrum(result: xr.Dataset, clip: str) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and levels in dB: the highest in each of 36 bands an octave."""
    sound = result["sound"].sel(clip=clip).values.astype(float)
    window = np.hanning(len(sound))
    level = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(sound * window)) * 2 / window.sum(), 1e-7))
    hz = np.fft.rfftfreq(len(sound), 1 / float(result.attrs["sample_rate"]))
    highest = min(HIGHEST_HZ, hz[-1])
    edges = LOWEST_HZ * 2.0 ** (
        np.arange(np.floor(PER_OCTAVE * np.log2(highest / LOWEST_HZ)) + 1) / PER_OCTAVE
    )
    first = np.searchsorted(hz, edges)
    bands = [level[a : max(a + 1, b)].max() for a, b in pairwise(first)]
    return np.sqrt(edges[:-1] * edges[1:]), np.array(bands)


def _level_at(spectrum: tuple[np.ndarray, np.ndarray], frequency_hz: float) -> float:
    hz, level = spectrum
    return float(level[np.abs(np.log2(hz / frequency_hz)) < 1.5 / PER_OCTAVE].max())
