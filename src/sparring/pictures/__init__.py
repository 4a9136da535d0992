"""Pictures of a run and of a model: drawn from plain values, written whole, and never felt by the run itself."""
