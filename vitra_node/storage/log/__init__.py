"""One log in a store: ``Hypercore``, its blocks and heads, its writers and peers."""
