"""From a folder here to a repository on the Hub: what becomes public, and how it gets there whole."""
