"""Cards: what a published folder says to people (`README.md`) and to the Hub (its front matter)."""
