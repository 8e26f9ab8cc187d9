"""What `push` brings to the Hub: a folder that is complete but for its card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapterkit.cards.answers import ANSWERS_FILE, read_answers
from adapterkit.errors import ConfigError
from adapterkit.files import write_bytes
from adapterkit.hub.upload import token_in_use
from adapterkit.licences import hub_licence
from adapterkit.publishing.privacy import check_public

CARD = "README.md"
MINI_ON_THE_HUB = "adapterkit/mini"


@dataclass(frozen=True)
class Wish:
    """What the publisher says, beside what the folder says.

    Attributes:
        language: Its language's code, where the folder has none.
        licence: Under which it is published.
        base_model: The backbone's Hub id, where the folder names none.
        answers: File with the answers of the card; by default `card.toml` in the folder, if there.
        private: Whether only its owners will see it.
    """

    language: str | None = None
    licence: str | None = None
    base_model: str | None = None
    answers: Path | None = None
    private: bool = False


@dataclass(frozen=True)
class Parcel:
    """A folder and how its card is made.

    Attributes:
        folder: Everything that becomes public, but the card.
        card: From a version (``v1``) to its card.
        digest: What it is known by, kept with where it was published.
        answers: Of the card.
        removed: Places where a path or a user name was taken out.
    """

    folder: Path
    card: Callable[[str], str]
    digest: str
    answers: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()

    def write_card(self, version: str) -> None:
        """Write the card of ``version``, and look once more at every text.

        Raises:
            ConfigError: If anything private is in one.
        """
        write_bytes(self.folder / CARD, self.card(version).encode())
        check_public(texts_of(self.folder), token=token_in_use())


def texts_of(folder: Path) -> dict[str, str]:
    """The contents of the files that are text."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(folder.iterdir())
        if path.suffix in (".json", ".md", ".toml")
    }


def licence_of(wish: Wish, problems: list[str]) -> str:
    """The Hub's identifier of the wished licence; what is wrong with it is added to ``problems``."""
    if not wish.licence:
        problems.append("licence: say under which it is published (--license cc-by-4.0)")
        return ""
    try:
        return hub_licence(wish.licence)
    except ConfigError as error:
        problems.append(f"--license: {error}")
        return ""


def answers_of(folder: Path, wish: Wish, licence: str) -> dict[str, str]:
    """The answers in the wished file, or else in the folder's own `card.toml`, or none.

    Raises:
        ConfigError: If a file is named and not there, what is there cannot be answers, or licence
            ``other`` has no name and link in them.
    """
    path = wish.answers or folder / ANSWERS_FILE
    there = wish.answers is not None or path.is_file()
    answers = read_answers(path) if there else {}
    if licence == "other" and not {"license_name", "license_link"} <= set(answers):
        raise ConfigError(f"licence 'other' needs license_name and license_link in {ANSWERS_FILE}")
    return answers
