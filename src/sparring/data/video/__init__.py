"""Clips: films, animated pictures, strips and folders of frames, as pairs of frames.

`frame_pairs.py` is the source that training draws from, `films.py` finds clips in folders, `frames.py` reads the frames of one.
"""
