from .base import Encoder, ModuleEncoder, Stage, Weights
from .conformance import check
from .errors import InputError
from .families.audiocodecs import from_audiocodecs
from .functions import wrap_function
from .registry import available, load, register
from .wrapping import wrap

__all__ = [
    "Encoder",
    "InputError",
    "ModuleEncoder",
    "Stage",
    "Weights",
    "available",
    "check",
    "from_audiocodecs",
    "load",
    "register",
    "wrap",
    "wrap_function",
]
