"""The card of a stack that only pins its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterkit.cards.answers import QUESTIONS, licence_entries
from adapterkit.cards.front import front_matter
from adapterkit.cards.records import model_index
from adapterkit.cards.rendering import licence_line, score_sections, templates
from adapterkit.cards.scores import ScoreRecord
from adapterkit.formats.pins import StackPins
from adapterkit.languages import hub_code, language_name
from adapterkit.templating import Raw, render_markdown

MINI_ON_THE_HUB = "adapterkit/mini"


@dataclass(frozen=True)
class StackRecords:
    """What the card of a stack says; attributes as `CardRecords` has them."""

    repository: str
    version: str
    licence: str
    pins: StackPins
    scores: tuple[ScoreRecord, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """One line: what it is."""
        return f"{self.pins.task} in {language_name(self.pins.language)}: a stack for {self.base}"

    @property
    def base(self) -> str:
        """The backbone's Hub id."""
        return MINI_ON_THE_HUB if self.pins.backbone == "mini" else self.pins.backbone

    def metadata(self) -> dict[str, Any]:
        """The front matter."""
        return {
            "base_model": self.base,
            "base_model_relation": "adapter",
            "language": [hub_code(self.pins.language)],
            **licence_entries(self.licence, self.answers),
            "library_name": "adapterkit",
            "tags": ["adapterkit", "mad-x", "stack", self.pins.task, self.pins.language],
            "model-index": model_index(self.repository, "other", self.scores),
            "adapterkit": {
                "kind": "stack",
                "language": self.pins.language,
                "task": self.pins.task,
                "backbone": self.pins.backbone_name,
                "backbone_digest": self.pins.backbone_digest,
                "parts": [part.reference for part in self.pins.parts],
                "version": self.version,
            },
        }


def render_stack_card(records: StackRecords) -> str:
    """The card of a stack. The same records give the same text."""
    pins, answers = records.pins, records.answers
    backbone = ("backbone", records.base, pins.backbone_commit or pins.backbone_name)
    return render_markdown(
        templates(),
        "stack.md",
        {
            "front": Raw(front_matter(records.metadata())),
            "title": records.title,
            "repository": records.repository,
            "version": records.version,
            "language": language_name(pins.language),
            "code": pins.language,
            "task": pins.task,
            "parts": [
                (*backbone, pins.backbone_digest),
                *(
                    (one.kind, one.reference, one.commit or "ships with adapterkit", one.digest)
                    for one in pins.parts
                ),
            ],
            "questions": [(QUESTIONS[key], answers[key]) for key in QUESTIONS if key in answers],
            "scores": score_sections(records.scores),
            "licence": licence_line(records.licence, answers),
        },
    )
