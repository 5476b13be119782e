"""What the rules say about a destination: pure functions and immutable values."""
