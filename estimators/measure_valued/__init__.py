"""Differences between the parts of weak derivatives."""
