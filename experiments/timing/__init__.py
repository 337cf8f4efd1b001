"""Clocks and memory."""
