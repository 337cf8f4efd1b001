"""The verbs of the command line, one file a verb. Only `experiments.cli` imports them.

A verb is a module here whose first line is "`gradmark VERB`: what it does" in a docstring, which is also what
`gradmark --help` says of it. Its click command is called `command`. `gradmark VERB --help` and shell completion import
the module: what takes long to import (torch, pandas, rich) is imported inside the functions that need it.
"""
