"""Adapters and how they are composed: values, never a global state."""
