"""Waiting for a GPU, which is given its work and does it later."""

import torch

__all__ = ["synchronise"]


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; nothing elsewhere."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
