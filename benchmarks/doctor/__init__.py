"""Measurements of src/sparring/doctor."""
