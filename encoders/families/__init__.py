"""Models of other libraries by how they are built: transformers', torchaudio's."""
