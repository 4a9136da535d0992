"""Measurements of src/sparring/metrics."""
