"""Raw text: cleaned, judged, split into words, counted and profiled.

Nothing here knows files (beyond reading lines of text), tokenizers, tensors or data sets: the
standard library is enough, and ICU for word boundaries.
"""
