"""Reading text and labelled data, and writing predictions."""
