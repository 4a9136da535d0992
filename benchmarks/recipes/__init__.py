"""Measurements of src/sparring/recipes."""
