"""Models of other libraries by how they are built: of transformers, diffusers and torchaudio."""
