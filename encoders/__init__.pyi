from .base import Encoder, ModuleEncoder, Stage
from .errors import InputError
from .registry import available, load, register
from .wrapping import wrap

__all__ = [
    "Encoder",
    "InputError",
    "ModuleEncoder",
    "Stage",
    "available",
    "load",
    "register",
    "wrap",
]
