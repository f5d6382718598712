"""Which latents of a melody model carry music, and what."""

from ...encoders.musicvae.posterior import Encoded, Posterior, encode
from .correlation import Correlation, correlate
from .reconstruction import kept_curve
from .traversals import traverse

__all__ = ["Correlation", "Encoded", "Posterior", "correlate", "encode", "kept_curve", "traverse"]
