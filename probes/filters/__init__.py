"""What channels select, and how they share frequency out."""
