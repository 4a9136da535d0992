"""`python -m sparring` is the command line."""

from sparring.cli.app import app

app()
