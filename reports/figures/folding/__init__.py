"""Figures of what folds."""
