"""Coefficients from noise of their own: knows no particular control variate."""
