"""What becomes of partials, pitches and chords when they sound together."""
