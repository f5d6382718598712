"""Plotting functions: each takes what one probe found, draws into axes, and returns them.

>>> from tonotopy.reports import plot
>>> plot.bandwidth.__name__
'bandwidth'
"""

import lazy_loader as lazy

# The names lie in the stub beside this file, and each is imported on first use.
__getattr__, __dir__, __all__ = lazy.attach_stub("tonotopy.reports", __file__)
