"""Figures of a check of two encoders."""
