"""Tags and metadata out of a README, as the Hub derives them, and the filters of its listing."""

from typing import Any

import yaml

from tests.hub.server.storage import Commit, Repository, Storage
from tests.hub.server.web import Request

_PREFIXED = ("license", "datasets", "base_model")


class CardLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML is untyped
    """Safe YAML in which dates stay text, as in the Hub's JSON."""


CardLoader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def card_of(text: str) -> dict[str, Any]:
    """The metadata block at the start of a README (empty if there is none).

    Raises:
        ValueError: If there is one that is no YAML table.
    """
    lines = text.replace("\r\n", "\n").lstrip("\ufeff").split("\n")
    if lines[0].strip() != "---" or "---" not in [line.strip() for line in lines[1:]]:
        return {}
    end = [line.strip() for line in lines[1:]].index("---") + 1
    try:
        card = yaml.load("\n".join(lines[1:end]), Loader=CardLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"the metadata is no YAML: {error}") from None
    if not isinstance(card, dict | None):
        raise ValueError("the metadata is no table")
    return card or {}


def card_problems(text: str) -> list[str]:
    """What the Hub refuses in a card."""
    try:
        card = card_of(text)
    except ValueError as error:
        return [str(error)]
    problems = []
    for language in _texts(card.get("language")):
        if not isinstance(language, str) or not 1 < len(language) < 30:
            problems.append(f'"language" must only contain language codes, found {language!r}')
    for key in ("license", "library_name", "pipeline_tag"):
        if key in card and not isinstance(card[key], str):
            problems.append(f'"{key}" must be a string')
    if not all(isinstance(tag, str) for tag in _texts(card.get("tags"))):
        problems.append('"tags" must be strings')
    return problems


def stored_card(storage: Storage, commit: Commit) -> dict[str, Any]:
    """The card of a commit; one that cannot be read is none."""
    entry = commit.tree.get("README.md")
    try:
        return card_of(storage.blob(entry.sha256).read_text("utf-8")) if entry else {}
    except ValueError:
        return {}


def tags_of(card: dict[str, Any], commit: Commit) -> list[str]:
    """The tags that a card gives its repository."""
    tags = [str(tag) for tag in _texts(card.get("tags"))]
    tags += [str(language) for language in _texts(card.get("language"))]
    if any(path.endswith(".safetensors") for path in commit.tree):
        tags.append("safetensors")
    for key in ("library_name", "pipeline_tag"):
        tags += [str(card[key])] if card.get(key) else []
    for key in _PREFIXED:
        tags += [f"{key.removesuffix('s')}:{value}" for value in _texts(card.get(key))]
    relation = card.get("base_model_relation") or _relation(card, commit)
    if relation:
        tags += [f"base_model:{relation}:{base}" for base in _texts(card.get("base_model"))]
    return list(dict.fromkeys([*tags, "region:us"]))


def _relation(card: dict[str, Any], commit: Commit) -> str:
    adapter = card.get("library_name") in ("peft", "adapter-transformers")
    return "adapter" if adapter or "adapter_config.json" in commit.tree else "finetune"


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def record_of(storage: Storage, repository: Repository, commit: Commit) -> dict[str, Any]:
    """What the Hub says of a repository, without its files."""
    card = stored_card(storage, commit)
    return {
        "_id": repository.key,
        "id": repository.id,
        "modelId": repository.id,
        "author": repository.owner,
        "sha": commit.id,
        "lastModified": commit.date,
        "createdAt": repository.created,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "downloads": repository.downloads,
        "likes": 0,
        "trendingScore": 0,
        "tags": tags_of(card, commit),
        "cardData": card,
        **{key: card[key] for key in ("pipeline_tag", "library_name") if card.get(key)},
    }


def fits(record: dict[str, Any], request: Request) -> bool:
    """Whether a repository belongs into the listing that ``request`` asks for."""
    filters = [part for value in request.query.get("filter", []) for part in value.split(",")]
    known = {str(tag).lower() for tag in record["tags"]}
    search = request.one("search").lower()
    author = request.one("author")
    return (
        all(part.lower() in known for part in filters if part)
        and search in record["id"].lower()
        and (not author or author == record["author"])
    )
