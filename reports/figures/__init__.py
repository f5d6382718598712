"""Figures: one module per figure, each from xarray to an `Illustration`."""

from .alias_map import alias_map
from .bandwidth import bandwidth_by_frequency
from .best_frequency import best_frequency_by_rank
from .chord_composition import chord_positions, chord_steps, chord_sums
from .chord_tuning import chord_shares
from .code_changes import code_changes
from .code_reuse import code_reuse
from .code_stability import code_stability
from .collapse import collapse_by_stage, confusion_map
from .comparison import comparison
from .compositionality import additivity_lesson, index_by_density, index_by_kind, overlap_matrices
from .coverage import coverage
from .differences import differences
from .drawing import Illustration
from .gram import gram_matrices
from .interventions import dose_response, intervention_spectra
from .invertibility import invertibility_by_stage
from .latent_features import phik_matrix
from .latent_models import models_side_by_side
from .latent_traversals import traversal_effects, traversal_rolls
from .latent_uses import accuracy_by_kept, activation
from .latents import neurons_by_threshold, sigma_and_mu
from .ledger import ledger, ledger_by_level
from .pitch_tuning import pitch_map, pitch_shares
from .readout import readout_by_density, readout_capacity, readout_tasks
from .rejection import rejection
from .representability import representability_scatter
from .tiling import tiling_numbers
from .tonotopic_map import control_maps, tonotopic_map
from .tuning_curves import tuning_curves
from .verdicts import verdicts
from .waveform_shape import preference_by_detuning, preference_by_stage, waveform_shape_of_controls

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
