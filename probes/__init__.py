"""What is asked: stimuli x encoder -> labelled measures."""

# `selectivity` and `activations` are functions here, as everywhere outside this room; a lazy import
# would hand out the modules of the same names instead.
from .activations import activations
from .pitch_chord import chord_tuning, pitch_tuning
from .progress import Progress
from .run import Settings, probe
from .selectivity import selectivity

__all__ = ["Progress", "Settings", "activations", "chord_tuning", "pitch_tuning", "probe", "selectivity"]
