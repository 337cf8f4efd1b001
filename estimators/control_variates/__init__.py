"""One file a control variate, named as its spec: each subtracts a term of zero expected gradient."""
