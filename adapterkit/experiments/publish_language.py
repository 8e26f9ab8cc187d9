"""From a text file to a published adapter: check, look at the text, train, score, write the card, push.

Each step can be repeated. The adapter's folder is called after its text and settings, so what is trained is found
again and an adapter of other settings stays where it is; a training that was killed goes on from its checkpoint;
`push` itself is safe to repeat.
"""

import json
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.cards.answers import ANSWERS_FILE
from adapterkit.cards.scores import (
    CONDITIONS,
    SCORES_FILE,
    ScoreRecord,
    in_words,
    percent,
    read_scores,
)
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.stack import Stack
from adapterkit.data.corpus import Profile
from adapterkit.errors import ConfigError
from adapterkit.evaluation import compare, gains_of
from adapterkit.experiments.claims import Claims
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.nodes import Node
from adapterkit.experiments.publish_check import (
    Plan,
    Scoring,
    checked_plan,
    fit_text,
    report_lines,
)
from adapterkit.files import write_bytes
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.guard import CONFIG, WORK
from adapterkit.publishing.parcel import CARD, Wish
from adapterkit.publishing.push import Publication, push
from adapterkit.publishing.record import record_scores
from adapterkit.publishing.staging import adapter_parcel
from adapterkit.settings import as_record
from adapterkit.training.language import train_language

NOBODY = "owner/name"
"""Stands in a card that is written before anybody has said where it goes."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What came of a recipe.

    Attributes:
        folder: The adapter.
        trained: Whether it was trained now; False if it was there.
        profile: The corpus report.
        heldout_loss: With the backbone alone and with the adapter.
        scores: Against the baselines, if the recipe has a test.
        card: The card, as a file beside the folder.
        publication: What was published or would be; None if nobody said where to.
        then: The command that publishes it, where nothing was sent.
    """

    folder: Path
    trained: bool
    profile: Profile
    heldout_loss: Mapping[str, float]
    scores: tuple[ScoreRecord, ...]
    card: Path
    publication: Publication | None
    then: str


def publish_language(
    recipe: Path,
    *,
    out: Path,
    data: DataFolder,
    repository: str | None = None,
    dry_run: bool = False,
    fresh: bool = False,
    device: str | None = None,
    progress: bool | None = False,
    tell: Tell = lambda text: None,
) -> Result:
    """Do what a recipe with a section ``[publish_language]`` says, or what is left of it.

    Args:
        recipe: The TOML file.
        out: Where the adapter's folder and the card are written.
        data: Folder in which the recipe's files are.
        repository: Where to publish, instead of what the recipe says.
        dry_run: Send nothing; tell exactly what would become public.
        fresh: Train anew, although a checkpoint or the adapter is there.
        device: Of the backbone.
        progress: Show bars.
        tell: Called with what happens, in words.

    Raises:
        ConfigError: If anything is wrong with the recipe (every problem at once, before anything starts), or
            another process is at work on the same adapter.
        CorpusError: If the text is not fit, with the corpus report.
        FolderError: If the adapter that is there was altered.
        HubError: As `push`; everything up to it is kept.
    """
    plan = checked_plan(recipe, data, push=repository, dry_run=dry_run, device=device)
    profile = fit_text(plan)
    tell(f"{plan.corpus.language}: {'; '.join(report_lines(profile))}")
    for warning in profile.warnings():
        tell(f"accepted: {warning}")
    folder = place_of_adapter(plan, out)
    with Claims(out / "claims").taken(folder.name) as mine:
        if not mine:
            raise ConfigError(f"{folder}: another process is making it; wait until it is done")
        adapter, trained = _adapter(plan, folder, fresh=fresh, progress=progress, tell=tell)
        scores = _scores(plan, folder, adapter, progress, tell)
        _answers(plan, folder, tell)
        made, text = _published(plan, folder, dry_run=dry_run)
    card = folder.with_name(f"{folder.name}.card.md")
    write_bytes(card, text.encode())
    sent = made is not None and not dry_run
    loss = adapter.provenance["heldout_loss"]
    then = "" if sent else _next(plan, data, out)
    return Result(folder, trained, profile, loss, scores, card, made, then)


def place_of_adapter(plan: Plan, out: Path) -> Path:
    """The adapter's folder: its language, and a digest of its text and all its settings."""
    settings = {
        "text": plan.corpus.fingerprint(),
        "licence": plan.corpus.licence,
        "backbone": plan.backbone.facts.digest,
        "init": plan.init.digest() if plan.init is not None else None,
        "config": as_record(plan.recipe.config),
    }
    language = plan.corpus.language
    return out / f"{language}-{Node('language', settings).digest[:8]}"


def _adapter(
    plan: Plan, folder: Path, *, fresh: bool, progress: bool | None, tell: Tell
) -> tuple[Adapter, bool]:
    """The adapter in ``folder``, trained if it is not there; and whether it was."""
    if (folder / CONFIG).is_file() and not fresh:
        tell(f"trained already: {folder}")
        shutil.rmtree(folder / WORK, ignore_errors=True)  # killed between the last file and this
        return load_adapter(folder), False
    tell(f"training: {folder}")
    (folder / SCORES_FILE).unlink(missing_ok=True)
    adapter = train_language(
        plan.backbone,
        plan.corpus,
        out=folder,
        config=plan.recipe.config,
        init=plan.init,
        fresh=fresh,
        overwrite=True,
        progress=progress,
    )
    loss = adapter.provenance["heldout_loss"]
    tell(f"held-out loss: backbone alone {loss['backbone']:.3f}, adapter {loss['adapter']:.3f}")
    if loss["adapter"] >= loss["backbone"]:
        tell("warning: the adapter predicts this text no better than the backbone alone")
    return adapter, True


def _scores(
    plan: Plan, folder: Path, adapter: Adapter, progress: bool | None, tell: Tell
) -> tuple[ScoreRecord, ...]:
    """Score the adapter against its baselines, into its folder."""
    if plan.scoring is None:
        return read_scores(folder)
    _measure(plan, plan.scoring, folder, adapter, progress)
    records = read_scores(folder)
    for record in records:
        own = record.conditions["own"]
        tell(f"{record.task} on {record.dataset}: {record.main} {percent(own)} %")
        for name in record.conditions:
            if name != "own":
                tell(f"  against {CONDITIONS[name]}: {in_words(record, name)}")
    return records


def _answers(plan: Plan, folder: Path, tell: Tell) -> None:
    """The recipe's answers for the card; where it has none, those of before are not published any more."""
    file, old = folder / ANSWERS_FILE, folder.with_name(f"{folder.name}.{ANSWERS_FILE}.old")
    if plan.recipe.answers:
        write_answers(file, plan.recipe.answers)
    elif file.is_file():
        file.replace(old)
        tell(f"the recipe has no answers for the card; those of before are in {old}")


def _measure(
    plan: Plan, scoring: Scoring, folder: Path, adapter: Adapter, progress: bool | None
) -> None:
    stack = Stack(adapter, scoring.adapter)
    seed = plan.recipe.wanted.seed
    found = compare(
        plan.backbone, stack, scoring.task, source=scoring.source, seed=seed, progress=progress
    )
    same = scoring.source.digest() == adapter.digest()
    shown = {name: one for name, one in found.items() if name != "source" or not same}
    record_scores(
        folder,
        shown,
        gains_of(shown, seed=seed),
        stack,
        task=scoring.name,
        language=plan.corpus.language,
        test=scoring.files,
        seed=seed,
    )


def _published(plan: Plan, folder: Path, *, dry_run: bool) -> tuple[Publication | None, str]:
    """Push, or tell what would be; and the card."""
    wanted = plan.recipe.wanted
    if plan.repository:
        made = push(
            folder,
            plan.repository,
            license=wanted.licence,
            base_model=wanted.base_model or None,
            private=wanted.private,
            dry_run=dry_run,
        )
        return made, made.texts[CARD]
    wish = Wish(licence=wanted.licence, base_model=wanted.base_model or None)
    with tempfile.TemporaryDirectory(prefix="adapterkit-") as temporary:
        parcel = adapter_parcel(folder, wish, NOBODY, Path(temporary))
        parcel.write_card("v1")
        return None, (parcel.folder / CARD).read_text(encoding="utf-8")


def write_answers(path: Path, answers: Mapping[str, str]) -> None:
    """Write the answers of a card as `card.toml`."""
    lines = [f"{key} = {_toml(value)}\n" for key, value in answers.items()]
    write_bytes(path, "".join(lines).encode())


def _toml(text: str) -> str:
    # JSON's strings are TOML's but for one sign, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _next(plan: Plan, data: DataFolder, out: Path) -> str:
    """The command that publishes what was made."""
    words: list[Any] = ["adapterkit", "run", plan.recipe.path]
    words += ["--data", data.root] if data.root is not None else []
    words += ["--out", out] if out != Path("runs") / plan.recipe.path.stem else []
    words += ["--push", plan.repository or "me/NAME"]
    return " ".join(shlex.quote(str(word)) for word in words)
