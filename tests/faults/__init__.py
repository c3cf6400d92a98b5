"""Faults at random moments, and what must hold through all of them: `python -m tests.faults --help`."""
