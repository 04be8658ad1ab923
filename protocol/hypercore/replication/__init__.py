"""Replication of a log with many peers: the messages, and who is asked for what."""
