"""Long-running processes: a node around a data directory, its hooks and its numbers."""
