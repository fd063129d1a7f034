"""The thread that runs helpers: from packets to dialogues and back."""
