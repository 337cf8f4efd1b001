"""From a workload to curves."""
