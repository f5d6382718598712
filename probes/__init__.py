"""What is asked: stimuli x encoder -> labelled measures."""
