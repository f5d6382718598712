"""Figures of several encoders."""
