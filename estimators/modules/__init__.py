"""A torch.nn.Module as part of a problem: its parameters among the problem's, one network for each replicate."""

from estimators.modules.replicated import ReplicatedModule

__all__ = ["ReplicatedModule"]
