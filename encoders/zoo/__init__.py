"""Bundled weights and their model cards."""
