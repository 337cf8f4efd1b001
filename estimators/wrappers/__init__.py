"""Estimators made of an estimator."""
