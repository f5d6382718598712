"""MusicGen: a language model over a codec's tokens, heard at its residual stream."""
