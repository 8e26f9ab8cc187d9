"""The records behind the rendered cards in ``hub_cards/examples``; ``python -m tests.cards.examples`` renders them again.

They were taken from the starters (without the losses of the runs) and from evaluating them on the first 400 test
sentences of UD English EWT.
"""

import json
from pathlib import Path
from typing import Any

from adapterkit.cards.records import CardRecords
from adapterkit.cards.rendering import render_card
from adapterkit.cards.scores import scores_from
from adapterkit.cards.stack_card import StackRecords, render_stack_card
from adapterkit.formats.pins import Pin, StackPins

PLACE = Path(__file__).parents[2] / "hub_cards" / "examples"


def records(name: str) -> CardRecords:
    path = PLACE / f"{name}.json"
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return CardRecords(**{**told, "scores": scores_from(told, path)})


def stack_records() -> StackRecords:
    path = PLACE / "stack.json"
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    pins = told["pins"]
    parts = tuple(Pin(**part) for part in pins["parts"])
    whole = {**told, "pins": StackPins(**{**pins, "parts": parts})}
    return StackRecords(**{**whole, "scores": scores_from(told, path)})


def rendered() -> dict[str, str]:
    cards = {name: render_card(records(name)) for name in ("language", "task")}
    return {**cards, "stack": render_stack_card(stack_records())}


if __name__ == "__main__":
    for name, card in rendered().items():
        (PLACE / f"{name}.md").write_text(card, encoding="utf-8")
