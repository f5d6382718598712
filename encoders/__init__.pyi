from .base import Encoder, ModuleEncoder, Stage
from .conformance import check
from .errors import InputError
from .registry import available, load, register
from .wrapping import wrap

__all__ = [
    "Encoder",
    "InputError",
    "ModuleEncoder",
    "Stage",
    "available",
    "check",
    "load",
    "register",
    "wrap",
]
