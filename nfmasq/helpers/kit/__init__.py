"""What the author of a helper imports, and tries a helper with."""
