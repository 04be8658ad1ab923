"""A network in memory: hosts, what lies between them, and the sockets that they see."""
