"""Fetching from the Hub without trusting it: what is asked, what may come, where it is kept. No adapters, no torch."""
