"""What a node does with a database: execute it, take part in it, monitor it."""
