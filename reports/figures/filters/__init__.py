"""Figures of filters: maps, tuning, tiling."""
