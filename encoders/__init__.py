"""Who listens: encoders with named stages."""
