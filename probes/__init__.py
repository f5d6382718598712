"""What is asked: stimuli meet encoders and become labelled measures."""

# Functions take the names of their modules everywhere outside this room; a lazy import
# would hand out the modules of the same names instead.
from .activations import activations
from .aliasing import aliasing, intermodulation
from .chord_composition import chord_composition
from .claims import HYPOTHESES
from .codes import codes
from .coherence import coherence, coherent_pairs, coherent_partials
from .compare import compare
from .compositionality import compositionality
from .evidence import Association, Matching, PerUnit, Trend
from .folding import fold, fold_plan
from .hypotheses import Control, Hypothesis, NoEvidence, evaluate, measured
from .interventions import interventions
from .invertibility import invertibility
from .pitch_chord import chord_tuning, pitch_tuning
from .progress import Progress
from .readout import readout
from .representability import representability
from .run import Settings, probe
from .selectivity import selectivity
from .signals import representability_signals
from .tiling import tiling
from .waveform_shape import waveform_shape

__all__ = [
    "HYPOTHESES",
    "Association",
    "Control",
    "Hypothesis",
    "Matching",
    "NoEvidence",
    "PerUnit",
    "Progress",
    "Settings",
    "Trend",
    "activations",
    "aliasing",
    "chord_composition",
    "chord_tuning",
    "codes",
    "coherence",
    "coherent_pairs",
    "coherent_partials",
    "compare",
    "compositionality",
    "evaluate",
    "fold",
    "fold_plan",
    "intermodulation",
    "interventions",
    "invertibility",
    "measured",
    "pitch_tuning",
    "probe",
    "readout",
    "representability",
    "representability_signals",
    "selectivity",
    "tiling",
    "waveform_shape",
]
