"""Experiments: a grid of tasks, languages, seeds, methods and backbones, from one recipe to one tidy table."""
