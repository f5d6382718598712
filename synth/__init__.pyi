from .chords import QUALITIES, chord_notes, chords
from .contexts import Noise, OtherPartials, RecordingSlice, other_pitches, recording_slices, whole_recordings
from .errors import InputError
from .export import parse_stimuli, write_wavs
from .partials import Snap, hz_to_midi, midi_to_hz, partials, partials_at
from .pitches import TIMBRES, Timbre, pitches
from .recordings import Recording, find_recordings, level_dbfs, read_recording
from .stimuli import Context, Partial, Stimulus, StimulusSet

__all__ = [
    "QUALITIES",
    "TIMBRES",
    "Context",
    "InputError",
    "Noise",
    "OtherPartials",
    "Partial",
    "Recording",
    "RecordingSlice",
    "Snap",
    "Stimulus",
    "StimulusSet",
    "Timbre",
    "chord_notes",
    "chords",
    "find_recordings",
    "hz_to_midi",
    "level_dbfs",
    "midi_to_hz",
    "other_pitches",
    "parse_stimuli",
    "partials",
    "partials_at",
    "pitches",
    "read_recording",
    "recording_slices",
    "whole_recordings",
    "write_wavs",
]
