"""All that a card is rendered from, as plain values; where a record lacks something, so does the card."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterkit.backbone.identity import MINI
from adapterkit.cards.answers import licence_entries
from adapterkit.cards.scores import ScoreRecord
from adapterkit.config import PRESETS
from adapterkit.languages import hub_code, language_name

_LARGEST = 1e300
"""No number of a card is larger: beyond it there are whole numbers that no float holds."""
PIPELINES = {"tagging": "token-classification", "classification": "text-classification"}
PIPELINES |= {"multilabel_classification": "text-classification"}
_TYPES = dict.fromkeys(("upos", "xpos", "pos", "ner", "tags"), "token-classification")
_TYPES |= {"label": "text-classification", "classification": "text-classification"}


@dataclass(frozen=True)
class CardRecords:
    """What a card of an adapter says.

    Attributes:
        repository: Where it is published, ``owner/name``.
        version: The tag of this version, ``v1``.
        language: ISO 639-3 code.
        licence: The Hub's identifier.
        base_model: The backbone's Hub id.
        adapter: As `adapterkit.formats.inspection.inspect` tells of the folder.
        scores: What was measured with it.
        answers: By question (`answers.QUESTIONS`).
    """

    repository: str
    version: str
    language: str
    licence: str
    base_model: str
    adapter: Mapping[str, Any]
    scores: tuple[ScoreRecord, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_task(self) -> bool:
        """Whether it is a task adapter's."""
        return bool(self.adapter["kind"] == "task")

    @property
    def is_peft(self) -> bool:
        """Whether the folder has PEFT's layout."""
        return "targets" in self.adapter

    @property
    def on_mini(self) -> bool:
        """Whether the backbone is the one that ships with the package."""
        return bool(self.adapter["backbone"]["name"] == MINI)

    @property
    def title(self) -> str:
        """One line: what it is."""
        what = f"{self.task_name} {self.kind} adapter".lstrip()
        return f"{language_name(self.language)} {what} for {self.base_model}"

    @property
    def kind(self) -> str:
        """``language``, ``domain`` or ``task``; ``language`` where the folder does not say."""
        kind = str(self.adapter["kind"])
        return kind if kind in ("language", "domain", "task") else "language"

    @property
    def task_name(self) -> str:
        """The task, as its training named it: ``upos``."""
        return text(self.adapter["provenance"], "task") if self.is_task else ""

    @property
    def preset(self) -> str | None:
        """The preset of bottlenecks that were trained from nothing; None where no record is certain of it."""
        made = self.adapter["provenance"]
        method = text(made, "config", "method")
        certain = str(self.adapter["method"]).startswith("bottleneck") and made.get("init") is None
        return method if certain and method in PRESETS else None

    def metadata(self) -> dict[str, Any]:
        """The front matter."""
        pipeline = PIPELINES.get(str(self.adapter["head"]))
        return {
            "base_model": self.base_model,
            "base_model_relation": "adapter",
            "language": [hub_code(self.language)],
            **licence_entries(self.licence, self.answers),
            "library_name": "peft" if self.is_peft else "adapter-transformers",
            "pipeline_tag": pipeline,
            "tags": self._tags(),
            "model-index": model_index(self.repository, pipeline or "other", self.scores),
            "adapterkit": {
                "kind": self.adapter["kind"],
                "method": self.adapter["method"],
                "preset": self.preset,
                "language": self.language,
                "script": next(iter(scripts(self.adapter["provenance"])), None),
                "task": self.task_name,
                "backbone": self.adapter["backbone"]["name"],
                "backbone_digest": self.adapter["backbone"]["digest"],
                "digest": self.adapter["digest"],
                "bytes": sum(
                    one["bytes"]
                    for name, one in self.adapter["files"].items()
                    if name != "README.md"
                ),
                "version": self.version,
            },
        }

    def _tags(self) -> list[str]:
        tags = ["adapterkit", "mad-x", f"{self.kind}-adapter"]
        tags += ["peft", str(self.adapter["method"])] if self.is_peft else ["adapter-transformers"]
        tags += [self.adapter["backbone"]["type"], self.task_name, self.language]
        return list(dict.fromkeys(tag for tag in tags if tag))


def model_index(
    repository: str, pipeline: str, scores: tuple[ScoreRecord, ...]
) -> list[dict[str, Any]]:
    """The scores as the Hub shows them; the interval and the baselines stand in each metric's args."""
    results = [
        {
            "task": {"type": _TYPES.get(one.task, pipeline), "name": one.task},
            "dataset": {
                "type": one.dataset,
                "name": one.dataset,
                "config": one.language,
                "split": one.split,
                "revision": one.dataset_digest,
            },
            "metrics": [_metric(one)],
        }
        for one in scores
    ]
    return [{"name": repository.split("/")[-1], "results": results}] if results else []


def _metric(one: ScoreRecord) -> dict[str, Any]:
    own = one.conditions["own"]
    rivals = {name: score.value for name, score in one.conditions.items() if name != "own"}
    return {
        "type": one.main,
        "value": own.value,
        "name": f"{one.main} of the stack {' + '.join(name for name, _ in one.stack)}",
        "args": {
            "ci95": [own.low, own.high],
            "method": "percentile bootstrap over sentences",
            "seed": one.seed,
            "n": one.examples,
            "baselines": rivals,
        },
    }


def text(record: Mapping[str, Any], *path: str) -> str:
    """The text at ``path`` of a record, or an empty one."""
    value = at(record, *path)
    return value if isinstance(value, str) else ""


def number(record: Mapping[str, Any], *path: str) -> float | None:
    """The number at ``path`` of a record, or None."""
    value = at(record, *path)
    told = isinstance(value, int | float) and not isinstance(value, bool)
    return value if told and abs(value) < _LARGEST else None


def at(record: Any, *path: str) -> Any:
    """What stands at ``path`` of a record, or None."""
    for key in path:
        record = record.get(key) if isinstance(record, Mapping) else None
    return record


def scripts(provenance: Mapping[str, Any]) -> dict[str, float]:
    """Share of the letters in each script, as far as recorded."""
    shares = at(provenance, "corpus", "coverage", "scripts")
    return {
        str(name): share
        for name in (shares if isinstance(shares, Mapping) else ())
        if (share := number(shares, name)) is not None
    }
