"""Estimators made of the derivatives of the cost in x, beside the pathwise one."""
