"""What runs on a host: lives of honest and of hostile nodes."""
