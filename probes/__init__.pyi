from .composition.access import access
from .composition.chord_composition import chord_composition
from .composition.compositionality import compositionality
from .composition.place import place
from .composition.presence import presence
from .composition.readout import readout
from .composition.stability import stability
from .composition.waveform_shape import waveform_shape
from .engine.activations import activations
from .engine.known import Known
from .engine.probe import Compared, Probe
from .engine.progress import Progress
from .engine.session import Session
from .filters.pitch_chord import chord_tuning, pitch_tuning
from .filters.selectivity import selectivity
from .filters.tiling import tiling
from .folding.aliasing import aliasing, intermodulation
from .folding.coherence import coherence, coherent_pairs, coherent_partials
from .folding.folding import fold, fold_plan
from .folding.invertibility import invertibility
from .folding.representability import representability
from .folding.signals import representability_signals
from .hypotheses.admission import complaints
from .hypotheses.evidence import PerGroup, PerUnit, Trend
from .hypotheses.exchanges import Association
from .hypotheses.hypothesis import Control, Hypothesis, NoEvidence, measured
from .hypotheses.matching import Matching
from .hypotheses.registry import HYPOTHESES
from .hypotheses.verdicts import evaluate
from .ports.equivalence import equivalence
from .run.compare import compare
from .run.conformance import check
from .run.runner import probe
from .run.suite import Suite
from .tokens.codes import codes

__all__ = [
    "HYPOTHESES",
    "Association",
    "Compared",
    "Control",
    "Hypothesis",
    "Known",
    "Matching",
    "NoEvidence",
    "PerGroup",
    "PerUnit",
    "Probe",
    "Progress",
    "Session",
    "Suite",
    "Trend",
    "access",
    "activations",
    "aliasing",
    "check",
    "chord_composition",
    "chord_tuning",
    "codes",
    "coherence",
    "coherent_pairs",
    "coherent_partials",
    "compare",
    "complaints",
    "compositionality",
    "equivalence",
    "evaluate",
    "fold",
    "fold_plan",
    "intermodulation",
    "invertibility",
    "measured",
    "pitch_tuning",
    "place",
    "presence",
    "probe",
    "readout",
    "representability",
    "representability_signals",
    "selectivity",
    "stability",
    "tiling",
    "waveform_shape",
]
