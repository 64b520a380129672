"""What must not happen, and that it does not."""
