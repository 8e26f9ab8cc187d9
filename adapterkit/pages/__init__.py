"""Pages for people: the demo's summary, and the report on a table of results."""
