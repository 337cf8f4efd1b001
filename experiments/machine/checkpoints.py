"""Tensors of training on disk: each file whole or not there."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

__all__ = ["read_checkpoint", "write_checkpoint"]


def read_checkpoint(file: Path) -> Any | None:
    """What was written; None where there is nothing that can be read. Runs no code from the file."""
    try:
        return torch.load(file, weights_only=True)
    except Exception:  # whatever a damaged file makes of torch.load
        return None


def write_checkpoint(file: Path, state: Any) -> None:
    """Tensors, numbers and text in lists and dictionaries. A folder that cannot be written is no error."""
    partial = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, partial)
        partial.replace(file)
    except (OSError, RuntimeError):  # torch raises RuntimeError where the disk is full
        with suppress(OSError):
            partial.unlink()
