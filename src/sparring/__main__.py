"""`python -m sparring` is the command line."""

from sparring.cli import app

app()
