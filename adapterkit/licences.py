"""Licences as the Hub names them: what a user writes, as the one identifier that the Hub knows."""

import re

from adapterkit.errors import ConfigError

_IDENTIFIERS = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc0-1.0
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0
    cc-by-sa-4.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m
    ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 gemma gfdl gpl gpl-2.0 gpl-3.0 isc lgpl
    lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit mpl-2.0
    ms-pl ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0 other pddl postgresql unlicense wtfpl
    zlib
"""
LICENCES = frozenset(_IDENTIFIERS.split())
_SHORT = {
    "apache": "apache-2.0",
    "apache-2": "apache-2.0",
    "cc0": "cc0-1.0",
    "public-domain": "cc0-1.0",
    "agpl-3": "agpl-3.0",
    "gpl-2": "gpl-2.0",
    "gpl-3": "gpl-3.0",
    "gplv3": "gpl-3.0",
    "lgpl-3": "lgpl-3.0",
    "mpl": "mpl-2.0",
}
_TAIL = re.compile(r"-(only|or-later)$|-licen[sc]e$")


def hub_licence(text: str) -> str:
    """The Hub's identifier of the licence ``text``: ``"CC BY-SA 4.0"`` is ``"cc-by-sa-4.0"``.

    Raises:
        ConfigError: If the Hub knows no such licence.
    """
    plain = _TAIL.sub("", re.sub(r"[\s_-]+", "-", text.strip().lower()))
    plain = _SHORT.get(plain, plain)
    if plain in LICENCES:
        return plain
    near = sorted(one for one in LICENCES if one.split("-")[0] == plain.split("-")[0])
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise ConfigError(
        f"{text!r:.80} is no licence that the Hub knows{hint}\n"
        "Give an identifier such as cc-by-4.0, cc-by-sa-4.0, cc0-1.0, apache-2.0 or mit; or 'other', with "
        "license_name and license_link in the card's answers (card.toml)."
    )
