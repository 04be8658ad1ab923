"""Data directories: made, opened for one command, checked, backed up, unmade."""
