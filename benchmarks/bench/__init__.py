"""Measurements of src/sparring/bench."""
