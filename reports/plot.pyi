from .figures.composition.curves import confusion_over_spacing, question_over_density, question_over_frequency
from .figures.composition.questions import question_by_stage
from .figures.composition.readout import readout_over_density
from .figures.composition.waveform_shape import waveform_shape
from .figures.dictionaries.funnel import dictionary_funnel
from .figures.dictionaries.labelled import dictionary_labels
from .figures.filters.bandwidth import bandwidth
from .figures.filters.best_frequency import best_frequency
from .figures.filters.coverage import coverage
from .figures.filters.gram import gram_matrix
from .figures.filters.tonotopic_map import tonotopic_map
from .figures.filters.tuning_curves import tuning_curves
from .figures.folding.alias_map import alias_map
from .figures.folding.ledger import ledger_shares
from .figures.hypotheses.verdicts import verdict_forest
from .figures.interventions.interventions import dose
from .figures.latents.features import feature_heat_map
from .figures.latents.latents import latent_mu, latent_sigma
from .figures.tokens.code_reuse import code_agreement
from .figures.tokens.code_stability import codes_kept

__all__ = [
    "alias_map",
    "bandwidth",
    "best_frequency",
    "code_agreement",
    "codes_kept",
    "confusion_over_spacing",
    "coverage",
    "dictionary_funnel",
    "dictionary_labels",
    "dose",
    "feature_heat_map",
    "gram_matrix",
    "latent_mu",
    "latent_sigma",
    "ledger_shares",
    "question_by_stage",
    "question_over_density",
    "question_over_frequency",
    "readout_over_density",
    "tonotopic_map",
    "tuning_curves",
    "verdict_forest",
    "waveform_shape",
]
