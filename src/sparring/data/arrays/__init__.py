"""Arrays, in memory or in .npy and .npz files, as vectors or as images.

They lean on what all kinds of data share, and on how images are brought to a size.
"""
