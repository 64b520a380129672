"""Invented people planted in real files, the 56 leak cases, the demo archive, and their answer key."""
