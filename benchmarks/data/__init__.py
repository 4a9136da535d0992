"""Measurements of src/sparring/data."""
