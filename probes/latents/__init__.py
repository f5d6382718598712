"""Which latents of a melody model carry music, and what."""

from ...encoders.musicvae.posterior import Encoded, Posterior, encode
from .correlation import Correlation, correlate
from .measures import Settings
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
