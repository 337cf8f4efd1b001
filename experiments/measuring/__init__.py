"""From a workload to a measurement."""
