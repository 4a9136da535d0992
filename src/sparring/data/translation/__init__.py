"""What translators learn from: pairs, two sets, or several domains of images, and how they may lie in folders.

It leans on images, and on nothing that knows what a translator is.
"""
