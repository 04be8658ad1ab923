"""What nodes store for others: announcements and small values."""
