"""What a plug-in brings: encoders, a probe, and claims about what they find."""
