"""Lines of text: how they are read, split into words or characters, and counted."""
