"""Secret keys on disk."""
