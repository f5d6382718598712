"""Figures of the latents of melody models."""
