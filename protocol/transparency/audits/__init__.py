"""Replays at scale: in segments, by samples, from a checkpoint."""
