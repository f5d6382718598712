"""Sparse autoencoders on activations."""
