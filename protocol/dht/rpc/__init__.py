"""The bare network: two packets, the nodes we know, and what one node asks of another."""
