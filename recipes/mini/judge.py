"""Is a backbone better? Masked-LM loss and zero-shot parts of speech, on dev sets only, side by side.

    python -m recipes.mini.judge --data ../shared/data --out judged mini mini-new

For every backbone and seed: a task adapter from 2,000 English sentences without a language adapter, scored on dev sets of
languages the backbone has seen and of the dev languages (a fixed half of the test set where there is no dev set); the
loss on dev languages' own text; and what own language adapters add there. Finished parts are kept in ``--out``.
A backbone without a masked-LM head (the teacher) is scored on parts of speech only.
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import adapterkit as ak
from adapterkit.errors import AdapterkitError
from recipes.mini.languages import DEV

SEEN = {"eng": "eng_ewt", "deu": "deu_gsd", "spa": "spa_gsd", "rus": "rus_taiga", "fin": "fin_tdt"}
DEV_SETS = {
    "afr": "afr_afribooms.dev",
    "bel": "bel_hse.dev",
    "lit": "lit_alksnis.dev",
    "gle": "gle_idt.dev",
    "slk": "slk_snk.dev",
    "hat": "hat_adolphe.dev",
    "olo": "olo_kkpp.test",
    "abk": "abk_abnc.test",
}
SENTENCES, SCORED, STEPS = 2_000, 250, 120


def main() -> None:
    """Judge what is not judged yet and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.mini.judge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("backbones", nargs="+", help="`mini` or folders")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0", help="with commas")
    parser.add_argument("--own", action="store_true", help="train own language adapters as well")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    found = {name: [judged(options, name, seed) for seed in seeds] for name in options.backbones}
    print(table(found))


def judged(options: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    """All figures of one backbone and seed, as fractions and nats."""
    folder = options.out / f"{Path(name).name}-{seed}"
    folder.mkdir(exist_ok=True)
    backbone = ak.load_backbone(name)
    pos = part(folder / "pos.json", lambda: parts_of_speech(options, backbone, folder, seed))
    result = {"pos": pos}
    try:
        result["loss"] = part(folder / "loss.json", lambda: losses(options, backbone, folder))
    except AdapterkitError as error:
        print(f"{name}: {error}")
        return result
    if options.own:
        result["own"] = part(folder / "own.json", lambda: own(options, backbone, folder, seed))
    return result


def part(file: Path, make: Any) -> dict[str, float]:
    """What ``file`` holds, made now if it is not there."""
    if not file.is_file():
        file.write_text(json.dumps(make(), indent=1), encoding="utf-8")
    found: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return found


def dev_set(data: Path, language: str) -> ak.Tagging:
    """At most `SCORED` sentences that choices may look at."""
    name = f"{SEEN[language]}.dev" if language in SEEN else DEV_SETS[language]
    task = ak.Tagging.from_files(test=data / "ud" / f"{name}.conllu.gz")
    # Without a dev set every other test sentence serves; the rest is never looked at here.
    step = 2 if name.endswith("test") else 1
    return ak.Tagging({"test": task.examples("test")[::step][:SCORED]})


def english(data: Path) -> ak.Tagging:
    """The first sentences of the English training set."""
    task = ak.Tagging.from_files(data / "ud" / "eng_ewt.train.conllu.gz")
    return ak.Tagging({"train": task.examples("train")[:SENTENCES]})


def tagger(
    options: argparse.Namespace,
    backbone: ak.Backbone,
    out: Path,
    seed: int,
    *,
    over: ak.Adapter | None,
) -> ak.Adapter:
    """A task adapter from `SENTENCES` English sentences."""
    config = ak.TaskConfig(epochs=3, seed=seed)
    return ak.train_task(
        backbone, english(options.data), over=over, out=out, config=config, overwrite=True
    )


def parts_of_speech(
    options: argparse.Namespace, backbone: ak.Backbone, folder: Path, seed: int
) -> dict[str, float]:
    """Accuracy by language of a task adapter trained without a language adapter."""
    pos = tagger(options, backbone, folder / "alone", seed, over=None)
    model = ak.AdaptedModel(backbone, ak.Stack(pos))
    return {
        language: ak.evaluate(model, dev_set(options.data, language)).value
        for language in [*SEEN, *DEV]
    }


def trained(
    options: argparse.Namespace, backbone: ak.Backbone, folder: Path, language: str, **more: Any
) -> ak.Adapter:
    """A language adapter of `STEPS` steps, from the folder if it is there."""
    out = folder / language
    if (out / "adapter_config.json").is_file():
        return ak.load_adapter(out)
    corpus = ak.Corpus.from_files(options.data / "text" / f"{language}.txt.gz", language=language)
    config = ak.LanguageConfig(steps=STEPS, evaluate_every=STEPS)
    return ak.train_language(backbone, corpus, out=out, config=config, **more)


def losses(options: argparse.Namespace, backbone: ak.Backbone, folder: Path) -> dict[str, float]:
    """Held-out masked-LM loss by dev language, without an adapter, in nats a character.

    Nats a masked piece are not comparable between vocabularies: a longer piece is harder. Times the pieces a character
    they are, as nearly as a masked model allows.
    """
    found = {}
    source = trained(options, backbone, folder, "eng")
    for language in DEV:
        adapter = trained(options, backbone, folder, language, init=source)
        loss = adapter.provenance["heldout_loss"]
        text = ak.Corpus.from_files(options.data / "text" / f"{language}.txt.gz", language=language)
        lines = [line.text for line in itertools.islice(text.lines(), 2_000)]
        pieces = sum(len(ids) for ids in backbone.token_ids(lines))
        per_character = pieces / sum(len(line) for line in lines)
        found[f"{language} backbone"] = loss["backbone"] * per_character
        found[f"{language} adapter"] = loss["adapter"] * per_character
    return found


def own(
    options: argparse.Namespace, backbone: ak.Backbone, folder: Path, seed: int
) -> dict[str, float]:
    """Accuracy by dev language with the own adapter and with the source's kept."""
    source = trained(options, backbone, folder, "eng")
    pos = tagger(options, backbone, folder / "over", seed, over=source)
    found = {}
    for language in DEV:
        task = dev_set(options.data, language)
        adapter = trained(options, backbone, folder, language, init=source)
        for kind, one in (("own", adapter), ("source", source)):
            model = ak.AdaptedModel(backbone, ak.Stack(one, pos))
            found[f"{language} {kind}"] = ak.evaluate(model, task).value
    return found


def mean(found: list[dict[str, Any]], kind: str, keys: list[str]) -> str:
    """Mean over seeds and ``keys``; a dash where nothing was measured."""
    values = [one[kind][key] for one in found if kind in one for key in keys if key in one[kind]]
    return f"{sum(values) / len(values):.3f}" if values else "–"


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """All backbones side by side, as markdown."""
    rows: list[tuple[str, str, list[str]]] = [
        ("POS without a language adapter, eng", "pos", ["eng"]),
        ("POS without a language adapter, deu spa rus fin", "pos", ["deu", "spa", "rus", "fin"]),
        ("POS without a language adapter, afr bel lit gle slk", "pos", DEV[:5]),
        ("POS without a language adapter, hat olo abk", "pos", DEV[5:]),
        ("POS, source kept, dev languages", "own", [f"{one} source" for one in DEV]),
        ("POS, own adapter, dev languages", "own", [f"{one} own" for one in DEV]),
        ("loss of dev languages, nats a character", "loss", [f"{one} backbone" for one in DEV]),
        ("the same with the own adapter", "loss", [f"{one} adapter" for one in DEV]),
    ]
    lines = ["| | " + " | ".join(found) + " |", "| --- |" + " --- |" * len(found)]
    for title, kind, keys in rows:
        cells = [mean(some, kind, keys) for some in found.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
