"""Which figures stand in a report, in which section."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from ..reports import figures
from .figures.drawing import Illustration, stages_with
from .numbers import side_by_side
from .runs import Heard


def illustrations(heard: Heard, controls: Sequence[Heard] = ()) -> dict[str, list[Illustration]]:
    """Draw every figure that an encoder's probes have the data for, by the probe that was asked for."""
    drawn = {
        "selectivity": _selectivity(heard),
        "aliasing": _aliasing(heard),
        "tiling": _tiling(heard),
        "compositionality": _compositionality(heard, controls),
        "codes": _codes(heard),
        "readout": _readout(heard),
        "waveform_shape": _waveform_shape(heard, controls),
        "interventions": _interventions(heard),
    }
    return {probe: several for probe, several in drawn.items() if several}


def _selectivity(heard: Heard) -> list[Illustration]:
    drawn = []
    tuning, random = heard.probe("selectivity"), heard.random("selectivity")
    if tuning is not None and stages_with(tuning, "response"):
        drawn.append(figures.tonotopic_map(tuning, random, heard.name))
        drawn.append(figures.best_frequency_by_rank(tuning, random, heard.name))
        drawn.append(figures.bandwidth_by_frequency(tuning, random, heard.name))
        drawn += [figures.tuning_curves(tuning, s, heard.name) for s in stages_with(tuning, "best_frequency")]
    if tuning is not None and stages_with(tuning, "change_probability"):
        drawn.append(figures.code_changes(tuning, heard.name))
    pitch, chord = heard.probe("pitch_tuning"), heard.probe("chord_tuning")
    if pitch is not None and stages_with(pitch, "f0_share"):
        drawn.append(figures.pitch_map(pitch, heard.random("pitch_tuning"), heard.name))
        drawn.append(figures.pitch_shares(pitch, heard.random("pitch_tuning"), heard.name))
    if chord is not None and stages_with(chord, "root_share"):
        drawn.append(figures.chord_shares(chord, heard.random("chord_tuning"), heard.name))
    return drawn


def _aliasing(heard: Heard) -> list[Illustration]:
    drawn = []
    tones, random = heard.probe("aliasing"), heard.random("aliasing")
    if tones is not None and stages_with(tones, "bank_share"):
        pairs = heard.probe("intermodulation"), heard.random("intermodulation")
        drawn.append(figures.alias_map(tones, random, heard.name))
        drawn.append(figures.ledger(tones, random, heard.name, *pairs))
        if stages_with(tones, "level_effect"):
            drawn.append(figures.ledger_by_level(tones, random, heard.name))
        drawn.append(figures.confusion_map(tones, random, heard.name))
        if stages_with(tones, "collapse"):
            drawn.append(figures.collapse_by_stage(tones, random, heard.name))
        if stages_with(tones, "bank_rejection"):
            drawn.append(figures.rejection(tones, random, heard.name))
    bank, sounds = heard.probe("invertibility"), heard.probe("representability")
    if bank is not None and stages_with(bank, "largest_singular_value"):
        drawn.append(figures.invertibility_by_stage(bank, heard.random("invertibility"), heard.name))
    if sounds is not None and stages_with(sounds, "recovered"):
        drawn.append(figures.representability_scatter(sounds, heard.random("representability"), heard.name))
    return drawn


def _tiling(heard: Heard) -> list[Illustration]:
    tiles, random = heard.probe("tiling"), heard.random("tiling")
    if tiles is None or not stages_with(tiles, "coverage"):
        return []
    drawn = [figures.coverage(tiles, random, heard.name)]
    if stages_with(tiles, "mean_coherence"):
        drawn.append(figures.gram_matrices(tiles, random, heard.name))
    return [*drawn, figures.tiling_numbers(tiles, random, heard.name)]


def _compositionality(heard: Heard, controls: Sequence[Heard]) -> list[Illustration]:
    result, random = heard.probe("compositionality"), heard.random("compositionality")
    if result is None:
        return []
    beside = _asked(controls, "compositionality")
    return [
        figures.index_by_density(result, random, heard.name),
        figures.additivity_lesson(result, random, beside, heard.name),
        figures.overlap_matrices(result, random, heard.name),
        figures.index_by_kind(result, random, beside, heard.name),
    ]


def _codes(heard: Heard) -> list[Illustration]:
    found, random = heard.probe("codes"), heard.random("codes")
    if found is None:
        return []
    return [figures.code_reuse(found, random, heard.name), figures.code_stability(found, random, heard.name)]


def _readout(heard: Heard) -> list[Illustration]:
    drawn = []
    read, chords = heard.probe("readout"), heard.probe("chord_composition")
    if read is not None and stages_with(read, "mean_auc"):
        random = heard.random("readout")
        drawn.append(figures.readout_by_density(read, random, heard.name))
        drawn.append(figures.readout_capacity(read, random, heard.name))
        drawn.append(figures.readout_tasks(read, random, heard.name))
    if chords is not None and stages_with(chords, "sum_error"):
        random = heard.random("chord_composition")
        drawn.append(figures.chord_sums(chords, random, heard.name))
        drawn.append(figures.chord_steps(chords, random, heard.name))
        drawn.append(figures.chord_positions(chords, random, heard.name))
    return drawn


def _waveform_shape(heard: Heard, controls: Sequence[Heard]) -> list[Illustration]:
    found, random = heard.probe("waveform_shape"), heard.random("waveform_shape")
    if found is None or not stages_with(found, "preference"):
        return []
    return [
        figures.preference_by_stage(found, random, _asked(controls, "waveform_shape"), heard.name),
        figures.preference_by_detuning(found, random, heard.name),
    ]


def _interventions(heard: Heard) -> list[Illustration]:
    found = heard.probe("interventions")
    if found is None or not stages_with(found, "reference_db"):
        return []
    random = heard.random("interventions")
    return [figures.dose_response(found, random, heard.name), figures.intervention_spectra(found, heard.name)]


def _asked(controls: Sequence[Heard], probe: str) -> dict[str, xr.Dataset]:
    """Return what a probe found of those controls that it was asked of, by name."""
    return {c.name: told for c in controls if (told := c.probe(probe)) is not None}


def control_illustrations(controls: Sequence[Heard]) -> list[Illustration]:
    """Draw the maps of the controls, and the codes of those that have some."""
    tunings = {h.name: tuning for h in controls if (tuning := h.probe("selectivity")) is not None}
    drawn = []
    if any(stages_with(tuning, "response") for tuning in tunings.values()):
        drawn.append(figures.control_maps(tunings))
    drawn += [figures.code_changes(t, n) for n, t in tunings.items() if stages_with(t, "change_probability")]
    if shaped := _asked(controls, "waveform_shape"):
        drawn.append(figures.waveform_shape_of_controls(shaped))
    return drawn


def comparison(encoders: Sequence[Heard]) -> list[Illustration]:
    """Draw several encoders side by side; nothing for a single one."""
    numbers = side_by_side(encoders)
    return [figures.comparison(numbers)] if len(encoders) > 1 and numbers["value"].size else []
