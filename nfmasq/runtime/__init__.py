"""What a running daemon holds beside its file: forwards, and which helpers are enabled for whom."""
