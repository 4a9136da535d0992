"""Images: folders, zips, shards and IDX files of them, how one is decoded, and what a look at them finds.

Nothing here but the readers themselves imports torch: the processes that decode images do without it.
"""
