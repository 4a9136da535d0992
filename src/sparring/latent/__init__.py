"""Steering what is drawn: ways between latents, truncation, directions found without labels, and the way back from a sample.

Functions of tensors and of a generator G(z) or G(z, labels); they lean on games, and know no run.
"""
