"""jSymbolic's features of melodies, as music21 computes them, for many melodies at once."""

from .extraction import Features, features
from .table import CONSTANT, FEATURES, LEFT_OUT, Feature

__all__ = ["CONSTANT", "FEATURES", "LEFT_OUT", "Feature", "Features", "features"]
