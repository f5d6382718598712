"""Figures of sparse dictionaries: their features, what these mean, and what they steer."""
