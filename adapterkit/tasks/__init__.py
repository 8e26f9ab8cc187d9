"""Tasks: what is asked of a text, in one small protocol (`base.Task`)."""
