"""One gradient of a chunk, eager, compiled or in float64: how it is computed, never how good it is."""
