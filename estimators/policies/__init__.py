"""Policy gradients of language models as they are trained with. Read `policy_gradient.py` first."""
