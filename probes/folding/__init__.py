"""What folds when a stage downsamples, and what is lost by it."""
