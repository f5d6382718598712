"""What is played: sounds as specifications with exact truth."""
