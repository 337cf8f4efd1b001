"""The cost at moved parameters: differentiates nothing."""
