"""How stimuli meet encoders: play, record, keep."""
