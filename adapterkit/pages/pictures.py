"""Pictures as SVG and PNG files; resvg's one door.

The very drawings of the page, in the light colours: nothing is drawn twice. PNG files need ``adapterkit[png]`` and
a sans-serif font on the machine, SVG files nothing.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from adapterkit.errors import ConfigError
from adapterkit.files import write_bytes
from adapterkit.pages.svg import Picture, text

ZOOM = 3
"""Pixels a unit: a picture of 360 units is sharp in print at 9 cm."""


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> list[Path]:
    """Write each picture as ``NAME.png`` into ``folder`` and name the files.

    Raises:
        ConfigError: If resvg is not installed, or there is no font to write labels with.
    """
    check_can_draw()
    files = []
    for picture in pictures:
        path = folder / f"{picture.name}.png"
        write_bytes(path, _png(picture))
        files.append(path)
    return files


def write_vectors(folder: Path, pictures: Sequence[Picture]) -> list[Path]:
    """Write each picture as ``NAME.svg`` into ``folder`` and name the files."""
    files = []
    for picture in pictures:
        path = folder / f"{picture.name}.svg"
        write_bytes(path, picture.standalone().encode("utf-8"))
        files.append(path)
    return files


def check_can_draw() -> None:
    """Raise the errors of `write_pictures` before any work is done."""
    if find_spec("resvg_py") is None:
        raise ConfigError('PNG files need resvg: pip install "adapterkit[png]"')
    blank, written = (Picture("", "", 40, 20, body) for body in ("", text(2, 15, "Mm")))
    if _png(blank) == _png(written):
        raise ConfigError(
            "there is no font on this machine to write the labels of PNG files with; install one, "
            "DejaVu Sans for example (apt-get install fonts-dejavu-core)"
        )


def _png(picture: Picture) -> bytes:
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=picture.standalone(), zoom=ZOOM, sans_serif_family="DejaVu Sans"
        )
    )
