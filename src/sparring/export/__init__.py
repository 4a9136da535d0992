"""Models in files that other programs run: ONNX, checked against torch before anything is written.

What a file computes (`parts.py`), how it is written and checked (`convert.py`), and what it says of itself (`card.py`).
"""
