"""Walks through the network towards a target, and what is done where they end."""
