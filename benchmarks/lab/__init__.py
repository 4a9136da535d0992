"""Measurements of src/sparring/lab."""
