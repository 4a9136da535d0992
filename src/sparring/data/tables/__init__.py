"""Tables: Parquet files of numbers or of images, read by row groups.

They lean on what all kinds of data share, and on how stored images are decoded.
"""
