"""Estimators that need discrete x."""
