"""The latent space: interpolation, truncation, directions found without labels, and inversion.

Functions of tensors and of a generator G(z) or G(z, labels); they use games, and know no run.
"""
