"""Measurements of src/sparring/runs."""
