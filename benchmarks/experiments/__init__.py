"""Measurements of src/sparring/experiments."""
