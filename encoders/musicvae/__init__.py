"""MusicVAE: melodies to latents and back."""
