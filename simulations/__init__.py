"""The real node over a simulated world: one process, one seed, one digest. See README.md."""
