"""The error of wrong input, under this room's name; a stub can only name what lies in its own room."""

from ..synth.errors import InputError as InputError
