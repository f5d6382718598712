from . import encoders, probes, reports, synth
from .encoders import load, wrap, wrap_function
from .probes import Hypothesis, Session, equivalence, probe
from .reports import compare, export, open, plot, report
from .synth import InputError
from .version import __version__

__all__ = [
    "Hypothesis",
    "InputError",
    "Session",
    "__version__",
    "compare",
    "encoders",
    "equivalence",
    "export",
    "load",
    "open",
    "plot",
    "probe",
    "probes",
    "report",
    "reports",
    "synth",
    "wrap",
    "wrap_function",
]
