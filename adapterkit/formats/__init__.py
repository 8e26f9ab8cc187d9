"""Adapter folders: what people publish and download. The format is AdapterHub's, with one more small file."""
