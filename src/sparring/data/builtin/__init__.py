"""Data that come with the project: curves, Gaussians, handwritten digits, and made scenes whose truth is known.

They lean on sources and spaces alone.
"""
