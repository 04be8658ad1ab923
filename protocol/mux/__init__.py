"""Protomux: many channels on one encrypted stream."""
