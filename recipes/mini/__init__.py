"""How `mini` is made: unpack the teacher, trim its vocabulary, distil, judge. ``python -m recipes.mini --help``."""
