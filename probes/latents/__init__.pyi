from .correlation import Correlation, correlate
from .reconstruction import kept_curve
from .traversals import traverse

__all__ = [
    "Correlation",
    "correlate",
    "kept_curve",
    "traverse",
]
