"""Ordered keys and values on disk or in memory, with one durable commit for many writers."""
