"""The helpers of the tree: a file for each protocol."""
