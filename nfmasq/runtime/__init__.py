"""State of a running daemon that its file does not have: added forwards, the settings of helpers."""
