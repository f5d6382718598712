"""What becomes of a sound whose latent is changed."""
