"""``adapterkit`` and ``python -m adapterkit``."""

from adapterkit.cli.app import main

if __name__ == "__main__":
    main()
