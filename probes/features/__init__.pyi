from .extraction import Features, features
from .table import CONSTANT, FEATURES, LEFT_OUT, Feature

__all__ = [
    "CONSTANT",
    "FEATURES",
    "LEFT_OUT",
    "Feature",
    "Features",
    "features",
]
