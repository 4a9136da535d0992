"""Measurements of src/sparring/game."""
