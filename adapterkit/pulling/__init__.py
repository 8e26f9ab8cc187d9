"""From the Hub to a folder of one's own, checked and loaded before it is there; and the lockfile that pins a project."""
