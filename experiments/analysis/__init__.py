"""Frames of a run in, frames out: draws and prints nothing."""
