"""Play sounds of known content to neural audio encoders, and measure what survives.

What most people need, from one import; each name is loaded on first use.

Examples
--------
>>> import tonotopy
>>> encoder = tonotopy.load("filterbank:stft")
>>> tones = tonotopy.synth.partials(500, 2000, per_octave=4)
>>> tuning = tonotopy.probes.selectivity(tonotopy.Session(encoder), tones)
>>> tuning.best_frequency.dims
('stage', 'channel')
"""

import lazy_loader as lazy

# The names lie in the stub beside this file; the rooms lie beside this folder, see setup.py.
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
