"""Checking, repairing, backing up and restoring a whole store."""
