"""Training adapters: one loop, two things to train in it."""
