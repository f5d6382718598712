from .figures.filters.bandwidth import bandwidth
from .figures.filters.best_frequency import best_frequency
from .figures.filters.coverage import coverage
from .figures.filters.gram import gram_matrix
from .figures.filters.tonotopic_map import tonotopic_map
from .figures.filters.tuning_curves import tuning_curves
from .figures.folding.alias_map import alias_map
from .figures.folding.ledger import ledger_shares
from .figures.interventions.interventions import dose
from .figures.tokens.code_reuse import code_agreement
from .figures.tokens.code_stability import codes_kept

__all__ = [
    "alias_map",
    "bandwidth",
    "best_frequency",
    "code_agreement",
    "codes_kept",
    "coverage",
    "dose",
    "gram_matrix",
    "ledger_shares",
    "tonotopic_map",
    "tuning_curves",
]
