"""Steering what is drawn: ways between latents, truncation, directions found without labels, and the way back from a sample.

Functions of tensors and a generator G(z) or G(z, labels), whose latents are z ~ N(0, I); nothing here knows how it was trained.
"""
