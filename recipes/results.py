"""The honest table: own adapter / source kept / removed, on real treebanks of languages that `mini` never trained on.

    python recipes/results.py --data ../shared/data --out results --page docs/results.md
    python recipes/results.py --data ../shared/data --out results --languages cym --seeds 0 --steps 40 --sentences 200

Five languages and three seeds take about an hour on two cores; a run that stopped goes on. Every choice (steps,
learning rate) was made on dev sets of afr, hat, gle and lit (docs/log.md); here the test sets are read once.
"""

import argparse
import json
import random
from pathlib import Path
from typing import Any

import adapterkit as ak
from adapterkit.evaluation import CONDITIONS, Evaluation
from adapterkit.files import write_bytes, write_json
from adapterkit.languages import language_name
from adapterkit.metrics import correct_counts, paired_difference

TREEBANKS = {
    "cym": "cym_ccg",
    "bel": "bel_hse",
    "afr": "afr_afribooms",
    "lit": "lit_alksnis",
    "hat": "hat_adolphe",
}
SEEN_BY_TEACHER = {"cym", "bel", "afr", "lit"}
RESAMPLES = 1000


def main() -> None:
    """Train what is missing, score it, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with text/ and ud/")
    parser.add_argument("--out", type=Path, required=True, help="folder of adapters and scores")
    parser.add_argument("--page", type=Path, help="markdown page to write")
    parser.add_argument("--languages", default=",".join(TREEBANKS), help="with commas")
    parser.add_argument("--seeds", default="0,1,2", help="with commas")
    parser.add_argument("--steps", type=int, default=120, help="of each target language adapter")
    parser.add_argument(
        "--sentences", type=int, help="score on so many sentences only (a quick check)"
    )
    options = parser.parse_args()
    languages, seeds = (
        options.languages.split(","),
        [int(seed) for seed in options.seeds.split(",")],
    )
    runs = [run(options, language, seed) for seed in seeds for language in languages]
    text = page(runs, languages, options.steps)
    print(text)
    if options.page:
        write_bytes(options.page, text.encode())


def run(options: argparse.Namespace, language: str, seed: int) -> dict[str, Any]:
    """One language and seed: from a finished run's file, or trained and scored now."""
    record = options.out / f"{language}-{seed}.json"
    if record.is_file():
        found: dict[str, Any] = json.loads(record.read_text())
        return found
    backbone = ak.load_backbone("mini")
    english, pos = sources(options, backbone, seed)
    folder = options.out / f"{language}-{seed}"
    if (folder / "adapter_config.json").is_file():
        own = ak.load_adapter(folder)
    else:
        corpus = ak.Corpus.from_files(
            options.data / "text" / f"{language}.txt.gz", language=language
        )
        config = ak.LanguageConfig(
            steps=options.steps, evaluate_every=max(10, options.steps // 4), seed=seed
        )
        own = ak.train_language(backbone, corpus, out=folder, config=config, init=english)
    task = ak.Tagging.from_files(test=options.data / "ud" / f"{TREEBANKS[language]}.test.conllu.gz")
    if options.sentences:
        task = ak.Tagging({"test": task.examples("test")[: options.sentences]})
    table = ak.compare(backbone, ak.Stack(own, pos), task, source=english)
    result = {
        "language": language,
        "seed": seed,
        "loss": own.provenance["heldout_loss"],
        "scores": {name: found.scores.as_dict() for name, found in table.items()},
        "counts": {name: counts(found) for name, found in table.items()},
    }
    write_json(record, result)
    return result


def sources(
    options: argparse.Namespace, backbone: ak.Backbone, seed: int
) -> tuple[ak.Adapter, ak.Adapter]:
    """The English adapters: the starters for seed 0; a task adapter trained anew for the other seeds."""
    english = ak.load_adapter("mini:eng")
    if seed == 0:
        return english, ak.load_adapter("mini:pos")
    folder = options.out / f"pos-{seed}"
    if (folder / "adapter_config.json").is_file():
        return english, ak.load_adapter(folder)
    ud = options.data / "ud"
    task = ak.Tagging.from_files(ud / "eng_ewt.train.conllu.gz", dev=ud / "eng_ewt.dev.conllu.gz")
    # 300 dev sentences choose the best weights as well as 1,000, in a third of the time.
    task = ak.Tagging({"train": task.examples("train"), "dev": task.examples("dev")[:300]})
    config = ak.TaskConfig(epochs=3, seed=seed)
    return english, ak.train_task(
        backbone, task, over=english, out=folder, config=config, name="pos"
    )


def counts(found: Evaluation) -> list[tuple[int, int]]:
    """Right words and words of each sentence."""
    return correct_counts(found.gold, [answer.labels for answer in found.answers])


def page(runs: list[dict[str, Any]], languages: list[str], steps: int) -> str:
    """The table as markdown."""
    seeds = sorted({one["seed"] for one in runs})
    lines = [
        "# Results on real text",
        "",
        f"Parts of speech (UPOS accuracy, %), backbone `mini`, task adapter from English (UD EWT), {steps} steps of 2,048",
        f"tokens for each language adapter, started from `mini:eng`. Mean over {len(seeds)} seed(s), lowest and highest",
        "in brackets; the last columns are differences on the same sentences, with 95 % intervals that resample",
        "seeds and sentences. Loss is the held-out masked-LM loss in nats. Made by `make results`.",
        "",
        "| language | group | loss, backbone | loss, adapter | own adapter | source kept | removed | own - source | own - removed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for language in languages:
        mine = [one for one in runs if one["language"] == language]
        group = "in its teacher's text" if language in SEEN_BY_TEACHER else "unseen by both"
        loss = [
            sum(one["loss"][kind] for one in mine) / len(mine) for kind in ("backbone", "adapter")
        ]
        cells = [span([one["scores"][name]["accuracy"] for one in mine]) for name in CONDITIONS]
        lines.append(
            f"| {language_name(language)} ({language}) | {group} | {loss[0]:.3f} | {loss[1]:.3f} | {' | '.join(cells)} "
            f"| {difference(mine, 'source')} | {difference(mine, 'none')} |"
        )
    return "\n".join([*lines, "", *verdicts(runs, languages), ""])


def verdicts(runs: list[dict[str, Any]], languages: list[str]) -> list[str]:
    """In words: where the own adapter helps and where it does not, against either rival."""
    lines = []
    for language in languages:
        mine = [one for one in runs if one["language"] == language]
        said = [
            f"{judgement(mine, rival)} {words}"
            for rival, words in (
                ("source", "the source adapter kept"),
                ("none", "no adapter at all"),
            )
        ]
        lines.append(f"- {language_name(language)}: the own adapter is {' and '.join(said)}.")
    return lines


def judgement(mine: list[dict[str, Any]], rival: str) -> str:
    """What the interval of own minus ``rival`` allows to say."""
    low, high = interval(mine, rival)
    return "better than" if low > 0 else "worse than" if high < 0 else "not reliably different from"


def span(values: list[float]) -> str:
    """``71.3 [70.9, 71.6]``: mean, lowest, highest."""
    mean = sum(values) / len(values)
    return f"{100 * mean:.1f} [{100 * min(values):.1f}, {100 * max(values):.1f}]"


def difference(mine: list[dict[str, Any]], rival: str) -> str:
    """Own minus ``rival``, mean over seeds, with its interval."""
    gaps = [one["scores"]["own"]["accuracy"] - one["scores"][rival]["accuracy"] for one in mine]
    low, high = interval(mine, rival)
    return f"{100 * sum(gaps) / len(gaps):+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def interval(mine: list[dict[str, Any]], rival: str) -> tuple[float, float]:
    """95 % interval of own minus ``rival``: seeds are drawn, and within each the sentences."""
    if len(mine) == 1:
        score = paired_difference(mine[0]["counts"]["own"], mine[0]["counts"][rival])
        return score.low, score.high
    draw = random.Random(0)
    drawn = [
        [
            (a - b, n)
            for (a, n), (b, _) in zip(one["counts"]["own"], one["counts"][rival], strict=True)
        ]
        for one in mine
    ]
    gaps = []
    for _ in range(RESAMPLES):
        rows = [
            row
            for sentences in draw.choices(drawn, k=len(drawn))
            for row in draw.choices(sentences, k=len(sentences))
        ]
        gaps.append(sum(gap for gap, _ in rows) / sum(n for _, n in rows))
    gaps.sort()
    return gaps[round(0.025 * RESAMPLES)], gaps[round(0.975 * RESAMPLES) - 1]


if __name__ == "__main__":
    main()
