"""Differences of the cost with one coordinate of x replaced: parts of weak derivatives, sides of jumps."""
