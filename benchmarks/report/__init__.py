"""Measurements of src/sparring/report."""
