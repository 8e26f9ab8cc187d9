"""Values in JSON that strangers wrote: whole numbers, numbers in a range, names. No torch.

``true`` is no number here, and ``3.0`` is the whole number 3, as JSON has it.
"""

from adapterkit.errors import ConfigError

LONGEST_NAME = 200


def whole(value: object, low: int, high: int) -> int | None:
    """``value`` as an int if it is a whole number from ``low`` to ``high``, else None."""
    if not number(value, low, high):
        return None
    assert isinstance(value, int | float)
    return int(value) if value == int(value) else None


def number(value: object, low: float, high: float) -> bool:
    """Whether ``value`` is a number from ``low`` to ``high``."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def plain_name(name: str) -> bool:
    """Whether ``name`` can be part of a tensor's key: and of a path: no dots, slashes or control characters."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and not set(name) & set("./\\")


def check_name(name: str) -> None:
    """Refuse a name under which no folder could be read again.

    Raises:
        ConfigError: If it is no plain name.
    """
    if not plain_name(name):
        raise ConfigError(
            f"{name!r:.220} cannot be an adapter's name: names have 1 to {LONGEST_NAME} printable characters, "
            "no dots and no slashes; choose another one (name=, or adapter.name)"
        )


def plain_file_name(name: str) -> bool:
    """Whether ``name`` is that of a file in the folder itself, on any system."""
    short = 0 < len(name.encode("utf-8", "surrogatepass")) <= 255
    return short and name.isprintable() and name not in (".", "..") and not set(name) & set("/\\:")
