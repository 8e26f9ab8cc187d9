"""The records behind the rendered cards in ``hub_cards/examples``; ``python -m tests.cards.examples`` renders them again.

They were taken from the starters and a real evaluation of them; the people in the answers are made up.
"""

import json
from pathlib import Path
from typing import Any

from adapterkit.cards.records import CardRecords
from adapterkit.cards.rendering import render_card
from adapterkit.cards.scores import scores_from

PLACE = Path(__file__).parents[2] / "hub_cards" / "examples"


def records(name: str) -> CardRecords:
    path = PLACE / f"{name}.json"
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return CardRecords(**{**told, "scores": scores_from(told, path)})


def rendered() -> dict[str, str]:
    return {name: render_card(records(name)) for name in ("language", "task")}


if __name__ == "__main__":
    for name, card in rendered().items():
        (PLACE / f"{name}.md").write_text(card, encoding="utf-8")
