"""Introducing peers that know each other by key: being found, finding, relaying."""
