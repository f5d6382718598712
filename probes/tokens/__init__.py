"""What integer codes keep."""
