"""What a language costs in a cell beside backbone and task adapter, and how its training went. No torch."""

from math import prod
from typing import Any

from adapterkit.experiments.nodes import Node
from adapterkit.experiments.store import Store
from adapterkit.formats.places import folder_of
from adapterkit.header import FLOATS, read_header


def costs_of(store: Store, cell: Node) -> dict[str, Any]:
    """Columns of the table, by the parts of ``cell`` that are trained for its language.

    Bytes count whatever has to be carried for the language, also a relative's adapter.
    """
    own = [cell.needs[role] for role in cell.settings["own"]]
    records = [store.record(one) for one in own]
    runs = [record["provenance"]["run"] for record in records]
    carried = {
        node.digest: node
        for role, node in cell.needs.items()
        if role in cell.settings["own"] or role not in ("task", "source")
        if node.kind != "continued"  # the fine-tuned backbone holds it
    }
    costs: dict[str, Any] = {
        "steps": sum(run["steps"] for run in runs),
        "tokens": sum(run["tokens"] for run in runs),
        "minutes": round(sum(record["minutes"] for record in records), 3),
        "trained_parameters": sum(_parameters(store, one) for one in own),
        "bytes": sum(_bytes(store, one) for one in carried.values()),
    }
    settled = {
        str(record["provenance"]["config"]["precision"])
        for record in (store.record(one) for one in cell.needs.values() if one.kind != "given")
    }
    costs["precision"] = "+".join(sorted(settled))
    texts = [
        record["provenance"] for record in records if record["kind"] in ("language", "continued")
    ]
    labels = [record["provenance"] for record in records if record["kind"] in ("task", "self")]
    if texts:
        costs |= _of_text(texts[0])
    elif labels and "self_training" in labels[0]:
        costs |= _of_coverage(labels[0]["self_training"]["corpus"].get("coverage", {}))
    trained = cell.needs["task"]
    config = trained.settings.get("config", {})
    if trained.kind == "task":
        costs["epochs"] = config["epochs"] if config["steps"] is None else None
    elif trained.kind == "self":
        costs["epochs"] = config["epochs"] * config["rounds"]
    if labels and not texts:
        costs["learning_rate"] = labels[0]["config"]["learning_rate"]
    return costs


def _of_text(made: dict[str, Any]) -> dict[str, Any]:
    coverage, config, loss = made["corpus"]["coverage"], made["config"], made["heldout_loss"]
    factor = config["reduction_factor"] if config["method"] not in ("lora", "ia3") else None
    return {
        **_of_coverage(coverage),
        "heldout_before": loss["backbone"],
        "heldout_after": loss["adapter"],
        "learning_rate": config["learning_rate"],
        "reduction_factor": factor,
        "looks": " ".join(f"{step}:{value}" for step, value in made["run"]["looks"]),
    }


def _of_coverage(coverage: dict[str, Any]) -> dict[str, Any]:
    names = {"text_bytes": "bytes", "unknown_share": "unk_rate", "pieces_per_word": "fertility"}
    return {name: coverage.get(key) for name, key in names.items()}


def _weights(store: Store, node: Node) -> list[Any]:
    folder = folder_of(node.settings["adapter"]) if node.kind == "given" else store.part(node)
    return sorted(folder.glob("*.safetensors"))


def _parameters(store: Store, node: Node) -> int:
    return sum(
        prod(fact.shape)
        for path in _weights(store, node)
        for fact in read_header(path).values()
        if fact.dtype in FLOATS  # token ids are no parameters
    )


def _bytes(store: Store, node: Node) -> int:
    return sum(path.stat().st_size for path in _weights(store, node))
