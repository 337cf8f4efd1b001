"""The operating system, files and versions: knows no torch model."""
