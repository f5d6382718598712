"""Filters: what channels respond to, and how they share frequency out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from ..answers import Answer, Scale, at, beside_random
from ..chapter import Chapter, each_stage
from ..columns import Column, Value, has_power, measured, placed
from ..estimates import Estimate
from ..figures import Illustration
from ..figures.filters.bandwidth import bandwidth_by_frequency
from ..figures.filters.best_frequency import best_frequency_by_rank
from ..figures.filters.chord_tuning import chord_shares
from ..figures.filters.coverage import coverage_by_stage
from ..figures.filters.gram import gram_matrices
from ..figures.filters.pitch_tuning import pitch_map, pitch_shares
from ..figures.filters.tiling import tiling_numbers
from ..figures.filters.tonotopic_map import control_maps, tonotopic_maps
from ..figures.filters.tuning_curves import tuning_curves_by_stage
from ..figures.tokens.code_changes import code_changes
from ..runs import Subject
from ..selecting import at_stage, of_controls, place_of_stage, stages_with, values_at
from ..writing import capitalised, counted, hertz, interval

LINEAR_ENOUGH = 0.5  # of a nonlinear response's power in its first harmonic
SPACINGS = {"linear": "linear", "log": "log", "mel": "mel", "erb": "ERB"}


def _of_live(variable: str) -> Value:
    """Return what reads a variable's mean over the channels that respond."""

    def read(result: xr.Dataset, stage: str) -> float:
        if variable not in result or not has_power(result, stage):
            return np.nan
        place = place_of_stage(result, stage)
        live = np.isfinite(values_at(result, "best_frequency", place))
        return float(values_at(result, variable, place)[live].mean()) if live.any() else np.nan

    return read


def _responding(result: xr.Dataset, stage: str) -> float:
    """Return the share of channels that respond."""
    if "best_frequency" not in result or not has_power(result, stage):
        return np.nan
    return float(np.isfinite(values_at(result, "best_frequency", place_of_stage(result, stage))).mean())


QUALITY = measured("quality", "Q", "median best frequency / -3 dB bandwidth", "1", is_side_by_side=True)
CLOSED_FORM = measured(
    "closed_form_error", "Closed form", "median |measured - exact|", "dB", np.max, is_compared=False
)


def _ear_bandwidth(frequency_hz: np.ndarray | float) -> np.ndarray | float:
    """Return the ear's equivalent rectangular bandwidth, Hz: Glasberg & Moore 1990, equation 3."""
    return 24.7 * (4.37 * np.asarray(frequency_hz) / 1000 + 1)


def _width_in_ears(result: xr.Dataset, stage: str) -> float:
    """Return the median equivalent noise bandwidth of a stage's channels, in the ear's at each one's peak."""
    one = at_stage(result, stage)
    if "equivalent_noise_bandwidth" not in one or not has_power(one):
        return np.nan
    each = one["equivalent_noise_bandwidth"].values / _ear_bandwidth(one["best_frequency"].values)
    return float(np.median(each[np.isfinite(each)])) if np.isfinite(each).any() else np.nan


def _selects(subject: Subject) -> Answer | None:
    """Say how wide the bands are that the first stage's channels pass."""
    tuning = subject.result("selectivity")
    stages = stages_with(tuning, "best_frequency") if tuning is not None else []
    if tuning is None or not stages:
        return None
    stage = stages[0]
    width, one = _width_in_ears(tuning, stage), at_stage(tuning, stage)
    best = one["best_frequency"].values
    live = int(np.isfinite(best).sum())
    if not np.isfinite(width):
        return None
    ears = f"{width:.2g} times as wide as the ear's at its best frequency"
    where = (
        f"from {hertz(np.nanmin(best))} to {hertz(np.nanmax(best))}"
        if live > 1
        else (f"at {hertz(np.nanmax(best))}")
    )
    middle = "the median one passes" if live > 1 else "it passes"
    sentence = (
        f"{at(stage)} {live} of {counted(len(best), 'channel')} respond{'s' * (live == 1)}, with best "
        f"frequencies {where}; {middle} a band {ears}."
    )
    beside = {
        kind: [Estimate(_width_in_ears(seed, stage), np.nan, np.nan) for seed in seeds]
        for kind, seeds in subject.by_kind("selectivity").items()
    }
    random = beside_random(beside, "times")
    sentence += f" {capitalised(random)}." if random else ""
    widest = subject.sample_rate / 2 / float(_ear_bandwidth(subject.sample_rate / 4))
    scale = Scale(max(widest, 2.0), 1.0, "everything at once", "as narrow as the ear's", "times", log=True)
    return Answer(stage, sentence, f"bands {ears}", random, Estimate(width, np.nan, np.nan), scale, beside)


def _selectivity_about(subject: Subject) -> Iterator[str]:
    if (tuning := subject.result("selectivity")) is not None:
        count = counted(tuning.sizes["frequency"], "partial")
        yield f"Tuning is measured with {count}: the grid, and those that resolve bandwidths."
        yield (
            "The response of a channel to a tone is the root mean square of its deviation from the response "
            "to silence, over the tone's own."
        )


def _sharpness(subject: Subject, tuning: xr.Dataset, stage: str) -> Iterator[str]:
    value = QUALITY.of(tuning, stage)
    if np.isfinite(value):
        among = [QUALITY.of(seed, stage) for seed in subject.of_baselines("selectivity")]
        text = f"the median channel has Q {value:.2f}"
        if mark := placed(value, among):
            text += (
                f"; {len(among)} random networks give {interval(among, '1')}, so it lies {mark} their range"
            )
        elif np.isfinite(among).any():
            text += f"; a random network gives {interval(among, '1')}"
        yield text + "."
    error = CLOSED_FORM.of(tuning, stage)
    if np.isfinite(error):
        yield f"Measured and closed-form tuning differ by {error:.1g} dB (median)."


def _selectivity_cautions(one: xr.Dataset) -> Iterator[str]:
    if "resolved" not in one or not has_power(one):
        return
    live = np.isfinite(one["best_frequency"].values)
    unresolved = int((live & ~one["resolved"].values.astype(bool)).sum())
    if unresolved:
        yield (
            f"the grid is too coarse for the bandwidth of {unresolved} of {counted(live.sum(), 'channel')}; "
            "they are left out of Q and bandwidth"
        )
    several = int((one["n_pass_bands"].values > 1).sum())
    if several:
        yield (
            f"{several} of {counted(live.sum(), 'channel')} {'has' if several == 1 else 'have'} more than "
            "one pass-band within 3 dB of the peak; Q and bandwidth describe the highest of them only"
        )
    bounds = int((live & one["open_band"].values.astype(bool)).sum())
    if bounds:
        yield (
            f"the pass-band of {bounds} of {counted(live.sum(), 'channel')} runs to the edge of the grid; "
            "the bandwidth is a lower bound there, Q an upper one"
        )


def with_data(*drawn: Illustration) -> Iterator[Illustration]:
    """Yield the figures that have something to show: a scale needs two channels, for one."""
    yield from (one for one in drawn if one.data is not None)


def _selectivity(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    tuning, random = subject.result("selectivity"), subject.of_baselines("selectivity")
    if tuning is None:
        return
    if stages_with(tuning, "response"):
        yield tonotopic_maps(tuning, random, subject.name)
        yield from with_data(best_frequency_by_rank(tuning, random, subject.name))
        yield bandwidth_by_frequency(tuning, random, subject.name)
        yield tuning_curves_by_stage(tuning, subject.name)
    if stages_with(tuning, "change_probability"):
        yield code_changes(tuning, subject.name)


def _selectivity_of_controls(controls: Sequence[Subject]) -> Iterator[Illustration]:
    results = of_controls(controls, "selectivity")
    if any(stages_with(tuning, "response") for tuning in results.values()):
        yield control_maps(results)
    yield from (code_changes(t, n) for n, t in results.items() if stages_with(t, "change_probability"))


def _pitch(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    pitch, random = subject.result("pitch_tuning"), subject.of_baselines("pitch_tuning")
    if pitch is not None and stages_with(pitch, "f0_share"):
        yield pitch_map(pitch, random, subject.name)
        yield pitch_shares(pitch, random, subject.name)


def _chord(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    chord = subject.result("chord_tuning")
    if chord is not None and stages_with(chord, "root_share"):
        yield chord_shares(chord, subject.of_baselines("chord_tuning"), subject.name)


COHERENCE = measured(
    "mean_coherence", "Mean coh.", "mean likeness of two channels", "1", np.max, is_side_by_side=True
)
FILLED = measured(
    "effective_rank_share", "Of possible", "effective rank / what count and length allow", "1", np.max,
    is_side_by_side=True,
)  # fmt: skip
EVEN = measured(
    "evenly_covered_share", "Even", "share of frequency within 3 dB of the mean response", "share", np.max,
    is_side_by_side=True,
)  # fmt: skip
SPACING = {
    scale: measured(
        "spacing_distance", f"Off {name}", f"distance of best frequencies from even {name} spacing", "1",
        np.max, pick=scale,
    )
    for scale, name in SPACINGS.items()
}  # fmt: skip


def _tiles(subject: Subject, tiles: xr.Dataset, stage: str) -> Iterator[str]:
    if stage not in stages_with(tiles, "coverage"):
        return

    def beside(column: Column) -> str:
        return column.beside_random(subject, "tiling", stage)

    if np.isfinite(COHERENCE.of(tiles, stage)):
        yield (
            f"Two channels are alike by {beside(COHERENCE)} on average (1: the same); their responses fill "
            f"{beside(FILLED)} of the dimensions they could."
        )
    yield f"{beside(EVEN)} of the frequency range lie within 3 dB of the mean response."
    one = at_stage(tiles, stage)
    distance = one["spacing_distance"]
    if distance.notnull().any() and int(one["n_live"]) > 1:
        nearest = str(distance["spacing"].values[int(distance.argmin("spacing"))])
        yield (
            f"Best frequencies come nearest to even {SPACINGS[nearest]} spacing, "
            f"{beside(SPACING[nearest])} off."
        )


def _tiling_cautions(one: xr.Dataset) -> Iterator[str]:
    linear = one["linear_share"].values
    if np.isfinite(linear).any() and (median := float(np.nanmedian(linear))) < LINEAR_ENOUGH:
        yield (
            f"the median channel has {100 * median:.1f} % of its response's power in the first harmonic; "
            "at such a stage tiling compares what channels answer to, not filters"
        )


def _tiling(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    tiles, random = subject.result("tiling"), subject.of_baselines("tiling")
    if tiles is None or not stages_with(tiles, "coverage"):
        return
    yield coverage_by_stage(tiles, random, subject.name)
    if stages_with(tiles, "mean_coherence"):
        yield from with_data(gram_matrices(tiles, random, subject.name))
    yield from with_data(tiling_numbers(tiles, random, subject.name))


SELECTIVITY = Chapter(
    "selectivity",
    question="What do the filters select?",
    answer=_selects,
    columns=(
        Column("Respond", "channels with any response", "share", _responding, is_compared=False),
        measured("best_frequency", "Best freq. from", "lowest best frequency", "Hz", np.min,
                 is_compared=False),
        measured("best_frequency", "to", "highest best frequency", "Hz", np.max, is_compared=False),
        QUALITY,
        measured("n_pass_bands", "Bands", "median number of bands within 3 dB of the peak", "count"),
        measured("bandwidth_3db", "-3 dB band", "median width of the pass-band at -3 dB", "Hz"),
        measured("equivalent_noise_bandwidth", "Noise band", "median equivalent noise band", "Hz"),
        measured("nyquist_share", "Band / Nyquist", "median -3 dB band / the stage's Nyquist", "1"),
        Column("Resolved", "channels whose band is resolved", "share", _of_live("resolved"),
               is_compared=False),
        Column("Open", "channels whose band runs off the grid: lower bounds", "share", _of_live("open_band"),
               is_compared=False),
        CLOSED_FORM,
        measured("change_probability", "Codes changed", "mean chance that one changes", "1", np.mean,
                 at_codes=True),
    ),
    about=_selectivity_about,
    findings=each_stage("selectivity", _sharpness),
    cautions=_selectivity_cautions,
    figures=_selectivity,
    figures_of_controls=_selectivity_of_controls,
)  # fmt: skip
PITCH_TUNING = Chapter(
    "pitch_tuning",
    question="Do channels follow the pitch or the timbre?",
    columns=(measured("f0_share", "Pitch: f0", "median variance share of f0", "1"),),
    figures=_pitch,
)
CHORD_TUNING = Chapter(
    "chord_tuning",
    question="Do channels follow a chord's root or its quality?",
    columns=(
        measured("root_share", "Chord: root", "median variance share of the root", "1"),
        measured("quality_share", "Chord: quality", "median variance share of the quality", "1"),
    ),
    figures=_chord,
)
TILING = Chapter(
    "tiling",
    question="Do the channels share frequency out evenly?",
    columns=(
        measured("mutual_coherence", "Coherence", "largest likeness of two channels", "1", np.max),
        measured("welch_bound", "Welch", "the smallest that so many channels can have", "1", np.max,
                 is_compared=False),
        COHERENCE,
        measured("effective_rank", "Eff. rank", "dimensions that the responses fill", "count", np.max),
        FILLED,
        measured("frame_bound_ratio", "Frame bounds", "highest / lowest summed response", "level", np.max),
        EVEN,
        *SPACING.values(),
        measured("neighbour_overlap", "Overlap", "mean likeness of neighbours' magnitudes", "1", np.max),
        measured("nyquist_share", "Noise band / Nyquist", "median noise band / the stage's Nyquist", "1"),
    ),
    findings=each_stage("tiling", _tiles),
    cautions=_tiling_cautions,
    figures=_tiling,
    panels={("linear_share", ""): "share that is linear"},
)  # fmt: skip
CHAPTERS = (SELECTIVITY, PITCH_TUNING, CHORD_TUNING, TILING)
