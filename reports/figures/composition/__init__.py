"""Figures of mixtures: stability, readouts, chords, waveform shape."""
