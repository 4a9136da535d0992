"""Measurements of src/sparring/cli."""
