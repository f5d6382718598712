"""Which latents of a melody model carry music, and what."""
