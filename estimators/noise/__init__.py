"""Uniforms and normals: knows no distribution and no problem."""

from estimators.noise.source import IID, NoiseSource, derive_seed, open_interval

__all__ = ["IID", "NoiseSource", "derive_seed", "open_interval"]
