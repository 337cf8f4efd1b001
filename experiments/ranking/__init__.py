"""The only place that knows which estimator is better."""
