"""Opening NATs from both sides at once."""
