"""One module a benchmark: who takes part, at which sizes, and what comes of it."""
