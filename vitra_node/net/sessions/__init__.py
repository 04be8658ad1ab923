"""One connection that replicates logs: its channels, and the logs they are about."""
