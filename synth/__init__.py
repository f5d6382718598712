"""What is played: sounds as specifications with exact truth."""

from .chords import chords
from .errors import InputError
from .partials import Snap, partials, partials_at
from .pitches import TIMBRES, Timbre, pitches
from .stimuli import Context, Partial, Stimulus, StimulusSet

__all__ = [
    "TIMBRES",
    "Context",
    "InputError",
    "Partial",
    "Snap",
    "Stimulus",
    "StimulusSet",
    "Timbre",
    "chords",
    "partials",
    "partials_at",
    "pitches",
]
