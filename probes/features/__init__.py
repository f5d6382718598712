"""jSymbolic features of melodies."""
