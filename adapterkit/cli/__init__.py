"""The command line: each verb is the Python function of the same name."""
