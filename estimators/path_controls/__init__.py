"""One file a control variate of the pathwise estimator, named as its spec."""
