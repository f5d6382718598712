"""jSymbolic's features of melodies, as music21 computes them, for many melodies at once."""

from .extraction import FEATURES, Features, features
from .scope import CONSTANT, LEFT_OUT

__all__ = ["CONSTANT", "FEATURES", "LEFT_OUT", "Features", "features"]
