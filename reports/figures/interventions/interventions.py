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
from ..panels import axes_or_new
from ..tables import Row, table

DEEPEST_DB = -60.0  # lower changes are drawn there
SPECTRUM_DB = -50.0
LOWEST_HZ, HIGHEST_HZ, PER_OCTAVE = 80.0, 10_000.0, 36
BANDED = (OWN_AMONG_OTHERS, EQUAL_AMONG_OTHERS)  # whose intervals are drawn
TITLES = {"own": "its own plane", "random": "partial, other planes"}
LINES = {
    "own": (
        ("removed", OWN_AMONG_OTHERS, TRAINED, "o-", "partial, among others"),
        ("removed", OWN_ALONE, TRAINED, "s--", "partial, alone"),
        ("neighbours", OWN_AMONG_OTHERS, DARK, "^-", "neighbours, among others"),
        ("neighbours", OWN_ALONE, DARK, "v--", "neighbours, alone"),
    ),
    "random": (
        ("removed", RANDOM, ORANGE, "x-", "random plane"),
        ("removed", EQUAL_AMONG_OTHERS, ORANGE, "D-", "random, as among others"),
        ("removed", EQUAL_ALONE, ORANGE, "s--", "random, as alone"),
        ("removed", ABSENT, THIRD, "P-.", "an absent partial's"),
    ),
}


def dose(data: xr.Dataset, *, planes: str = "own", ax: Axes | None = None) -> Axes:
    """Draw how much a partial and its neighbours change in the sound, over the share that is removed.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "interventions".
    planes : {"own", "random"}
        Whose plane the latent loses: the partial's own, or others' (random ones, that of a partial that
        does not sound).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
    """
    one = data.isel(stage=0)
    with axes_or_new(ax) as axes:
        for who, removal, color, style, label in LINES[planes]:
            _curve(axes, one.sel(removal=removal), who, color, style, label)
        if planes == "own":
            ideal = float(one["ideal_removed_db"].mean())
            axes.axhline(max(ideal, DEEPEST_DB), color=TRAINED, lw=0.9, ls=":", label="partial, never played")
        axes.set(xlabel="dose (1 = all of it)", ylabel="change in the sound (dB)", title=TITLES[planes])
    return axes


def dose_response(result: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw levels of the removed partial and of its neighbours over the dose, beside random planes.

    Parameters
    ----------
    result : xarray.Dataset
        Group "interventions" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the table gives what they transmit.
    name : str
        What the encoder is called.
    """
    one = result.isel(stage=0)
    with canvas(5.4, f"{name}: a partial removed from its {result['stage'].values[0]}") as figure:
        own, others, channels = figure.subplot_mosaic(
            [["own", "random"], ["channels", "channels"]], height_ratios=(1.5, 1)
        ).values()
        others.sharey(own)
        for axes, planes in ((own, "own"), (others, "random")):
            dose(result, planes=planes, ax=axes)
            axes.set_ylabel("")
        others.tick_params(labelleft=False)
        _channels(channels, one)
        figure.supylabel("change in the sound (dB)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "dose-response",
        "Dose and response",
        figure,
        "Does a partial vanish from the sound, and it alone, when the latent loses its plane?",
        "Planes are measured among others or alone; bands are 95 % intervals over mixtures. Linear codecs "
        "lose partials cleanly whatever their latents mean. "
        "In the table p is from signs flipped by mixture; trials without a level count as 0.",
        f"Curves of the change in dB of a partial and of its neighbours in the sound decoded by {name}, over "
        "the share of its plane that is removed, with random planes, and over whole channels silenced.",
        "A partial falls with its own plane and its neighbours stay, if the plane is its own; random planes "
        "show what any loss does.",
        table([*_changes(one), *_counts(one, random)]),
    )


def _channels(axes: Axes, one: xr.Dataset) -> None:
    """Draw the change over whole channels that are silenced."""
    for variable, color, style in (("removed", TRAINED, "o-"), ("neighbours", DARK, "^-")):
        change = _drawn(one[f"channels_{variable}_db"].mean("trial").values)
        label = "partial, channels" if variable == "removed" else "neighbours, channels"
        axes.plot(one["channels_removed"], change, style, color=color, ms=4.5, mfc="white", label=label)
    counts = one["channels_removed"].values
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{n}" for n in counts])
    axes.minorticks_off()
    axes.set(xlabel="channels silenced, those first that answer most", title="whole channels")


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
    levels = {clip: _level_at(spectrum, frequency) for clip, spectrum in spectra.items()}
    return Illustration(
        "intervention-spectra",
        "Spectra of an intervention",
        figure,
        "What does one such removal do to the rest of the spectrum?",
        "The first trial whose partial the codec transmits, not the best; it can be heard on this page.",
        f"Spectra of a mixture decoded by {name}, before and after a partial at {hertz(frequency)} is "
        "removed from the latent, beside the mixture played without it and a random plane removed.",
        "Blue against orange is what a removal changes; the dotted line marks the partial that was to go.",
        table(
            [
                {
                    "sound": clip, "partial (Hz)": frequency,
                    "its level (dB re the loudest)": level - loudest,
                    "change (dB)": level - levels[CLIPS[0]],
                }
                for clip, level in levels.items()
            ]
        ),
    )  # fmt: skip


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


def _changes(one: xr.Dataset) -> list[Row]:
    """Return what is drawn: the change by whose plane is removed, of whom, and by dose or channels."""
    rows: list[Row] = []
    for who, removal, _, _, label in (line for several in LINES.values() for line in several):
        for at in one["dose"].values:
            mean, low, high = (
                float(one[f"mean_{who}_{k}"].sel(removal=removal, dose=at)) for k in ("db", "low", "high")
            )
            ends: Row = {"change (dB)": mean, "from (dB)": low, "to (dB)": high}
            rows.append({"what": label, "dose (1)": float(at), **ends})
    for who, said in (("removed", "partial"), ("neighbours", "neighbours")):
        mean_db = one[f"channels_{who}_db"].mean("trial").values
        for count, change in zip(one["channels_removed"].values, mean_db, strict=True):
            rows.append({"what": f"{said}, channels", "channels": int(count), "change (dB)": float(change)})
    rows.append({"what": "partial, never played", "change (dB)": float(one["ideal_removed_db"].mean())})
    return rows


def _counts(one: xr.Dataset, random: Sequence[xr.Dataset]) -> list[Row]:
    """Return by how much the own plane is more specific than random ones, and how many are transmitted."""
    rows: list[Row] = [
        {
            "what": f"own plane more specific than random ones of its energy, {which}",
            "change (dB)": float(one["beyond_db"].sel(removal=own).mean()),
            "p": float(one["specific_p"].sel(removal=own)),
        }
        for own, which in zip(EQUAL_OF, ("alone", "among others"), strict=True)
    ]
    rows.append({"what": "trials without a level", "count": int(one["lost"])})
    rows.append({"what": "partials", "count": one.sizes["trial"]})
    rows.append({"what": "partials that the codec transmits", "count": transmitted(one)})
    for k, network in enumerate(random, 1):
        said = f"partials that random weights {k} transmit"
        rows.append({"what": said, "count": transmitted(network.isel(stage=0))})
    return rows


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
