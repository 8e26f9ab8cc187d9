"""What is written is read again before it takes its place: a folder that would not load replaces none that does."""

from collections.abc import Callable
from pathlib import Path

from adapterkit.errors import ConfigError, FolderError


def check_reads_back(name: str, new: Path, place: Path, read: Callable[[Path], object]) -> None:
    """Refuse an adapter whose new folder is not loaded.

    Args:
        name: The adapter's.
        new: The folder that was written.
        place: Where it will stand.
        read: What loads such a folder.

    Raises:
        ConfigError: If ``read`` refuses ``new``, with what it says.
    """
    try:
        read(new)
    except FolderError as error:
        said = str(error).replace(str(new), str(place))
        raise ConfigError(
            f"adapter {name!r} cannot be saved so that it is loaded again, and nothing was written: {said}"
        ) from None
