"""Pictures of a run and of a model, drawn from plain values and written whole; `style` alone opens picture files for writing.

They lean on games, data and run folders, and are never felt by the run itself.
"""
