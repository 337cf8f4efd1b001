"""Benchmarks of gradmark itself: the asv suite, speed against a plain loop, start-up time and memory."""
