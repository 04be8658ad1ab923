"""``Swarm``: connections with whoever shares a topic."""
