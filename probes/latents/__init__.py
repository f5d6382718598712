"""Which latents of a melody model carry music, and what."""

from .correlation import Correlation, correlate
from .measures import Settings
from .posterior import Encoded, Posterior, encode
from .reconstruction import kept_curve
from .run import latents
from .traversals import traverse

__all__ = [
    "Correlation",
    "Encoded",
    "Posterior",
    "Settings",
    "correlate",
    "encode",
    "kept_curve",
    "latents",
    "traverse",
]
