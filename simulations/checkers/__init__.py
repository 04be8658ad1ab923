"""What must hold at the end, whatever happened."""
