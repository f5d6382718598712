"""What is told: measures -> figures, pages, command line."""
