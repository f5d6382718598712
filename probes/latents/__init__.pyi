from .correlation import Correlation, correlate
from .posterior import Encoded, Posterior, encode
from .reconstruction import kept_curve
from .traversals import traverse

__all__ = [
    "Correlation",
    "Encoded",
    "Posterior",
    "correlate",
    "encode",
    "kept_curve",
    "traverse",
]
