"""Estimators of programs: one for each variable."""
