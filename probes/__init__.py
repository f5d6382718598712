"""What is asked: stimuli meet encoders and become labelled measures.

`tonotopy.probes.run` and `tonotopy.probes.interventions` are rooms, which functions so named would hide.
These are imported from where they lie: ``from tonotopy.probes.run.runner import run``, ``from
tonotopy.probes.interventions.interventions import interventions``.
"""

import lazy_loader as lazy

# The names lie in the stub beside this file, and each is imported on first use.
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
