"""Figures: one module per figure, each from xarray to an `Illustration`."""

from .composition.chord_composition import chord_positions, chord_steps, chord_sums
from .composition.compositionality import additivity_lesson, index_by_density, index_by_kind, overlap_matrices
from .composition.readout import readout_by_density, readout_capacity, readout_tasks
from .composition.waveform_shape import (
    preference_by_detuning,
    preference_by_stage,
    waveform_shape_of_controls,
)
from .drawing import Illustration
from .filters.bandwidth import bandwidth_by_frequency
from .filters.best_frequency import best_frequency_by_rank
from .filters.chord_tuning import chord_shares
from .filters.coverage import coverage
from .filters.gram import gram_matrices
from .filters.pitch_tuning import pitch_map, pitch_shares
from .filters.tiling import tiling_numbers
from .filters.tonotopic_map import control_maps, tonotopic_map
from .filters.tuning_curves import tuning_curves
from .folding.alias_map import alias_map
from .folding.collapse import collapse_by_stage, confusion_map
from .folding.invertibility import invertibility_by_stage
from .folding.ledger import ledger, ledger_by_level
from .folding.rejection import rejection
from .folding.representability import representability_scatter
from .hypotheses.differences import differences
from .hypotheses.verdicts import verdicts
from .interventions.interventions import dose_response, intervention_spectra
from .latents.features import phik_matrix
from .latents.latents import neurons_by_threshold, sigma_and_mu
from .latents.models import models_side_by_side
from .latents.traversals import traversal_effects, traversal_rolls
from .latents.uses import accuracy_by_kept, activation
from .run.comparison import comparison
from .tokens.code_changes import code_changes
from .tokens.code_reuse import code_reuse
from .tokens.code_stability import code_stability

__all__ = [
    "Illustration",
    "accuracy_by_kept",
    "activation",
    "additivity_lesson",
    "alias_map",
    "bandwidth_by_frequency",
    "best_frequency_by_rank",
    "chord_positions",
    "chord_shares",
    "chord_steps",
    "chord_sums",
    "code_changes",
    "code_reuse",
    "code_stability",
    "collapse_by_stage",
    "comparison",
    "confusion_map",
    "control_maps",
    "coverage",
    "differences",
    "dose_response",
    "gram_matrices",
    "index_by_density",
    "index_by_kind",
    "intervention_spectra",
    "invertibility_by_stage",
    "ledger",
    "ledger_by_level",
    "models_side_by_side",
    "neurons_by_threshold",
    "overlap_matrices",
    "phik_matrix",
    "pitch_map",
    "pitch_shares",
    "preference_by_detuning",
    "preference_by_stage",
    "readout_by_density",
    "readout_capacity",
    "readout_tasks",
    "rejection",
    "representability_scatter",
    "sigma_and_mu",
    "tiling_numbers",
    "tonotopic_map",
    "traversal_effects",
    "traversal_rolls",
    "tuning_curves",
    "verdicts",
    "waveform_shape_of_controls",
]
