"""The logs that make a database: its index, its oplogs, and the contract that rules them."""
