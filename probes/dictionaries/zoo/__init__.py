"""Dictionaries that come with the library; `tonotopy sae train musicgen_tiny` makes them."""
