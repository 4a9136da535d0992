"""Measurements of src/sparring/latent."""
