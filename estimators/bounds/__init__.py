"""Bounds of K samples: they need the log-weights of a latent-variable problem, and num_samples is K."""
