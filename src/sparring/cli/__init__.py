"""The command line: app.py parses, a file a command does it, and answer.py says how a command ends.

It leans on everything, and nothing leans on it; torch is imported when a command needs it, so that help answers at once.
"""
