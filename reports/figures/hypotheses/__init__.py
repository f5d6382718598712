"""Figures of verdicts and of differences between runs."""
