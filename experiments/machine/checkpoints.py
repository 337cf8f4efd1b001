"""Tensors of training on disk: each file whole or not there."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from experiments.machine.files import replacing

__all__ = ["read_checkpoint", "write_checkpoint"]


def read_checkpoint(file: Path) -> Any | None:
    """What was written; None where there is nothing that can be read. Runs no code from the file."""
    try:
        return torch.load(file, weights_only=True)
    except Exception:  # whatever a damaged file makes of torch.load
        return None


def write_checkpoint(file: Path, state: Any) -> None:
    """Tensors, numbers and text in lists and dictionaries. A folder that cannot be written is no error."""
    # torch raises RuntimeError where the disk is full, `replacing` ValueError where a file is in the way of the folder.
    with suppress(OSError, RuntimeError, ValueError), replacing(file) as temporary:
        torch.save(state, temporary)
