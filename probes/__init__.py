"""What is asked: stimuli meet encoders and become labelled measures."""

# Functions take the names of their modules everywhere outside this room; a lazy import
# would hand out the modules of the same names instead.
from .activations import activations
from .aliasing import aliasing, intermodulation
from .chord_composition import chord_composition
from .codes import codes
from .coherence import coherence, coherent_pairs, coherent_partials
from .compositionality import compositionality
from .folding import fold, fold_plan
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
    "Progress",
    "Settings",
    "activations",
    "aliasing",
    "chord_composition",
    "chord_tuning",
    "codes",
    "coherence",
    "coherent_pairs",
    "coherent_partials",
    "compositionality",
    "fold",
    "fold_plan",
    "intermodulation",
    "interventions",
    "invertibility",
    "pitch_tuning",
    "probe",
    "readout",
    "representability",
    "representability_signals",
    "selectivity",
    "tiling",
    "waveform_shape",
]
