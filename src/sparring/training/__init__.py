"""The training loop and what guards it: Ctrl-C, and what "resumed exactly" depends on.

It leans on the engine, run folders, pictures and the doctor, and is given a game that is ready to play.
"""
