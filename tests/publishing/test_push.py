"""Publishing: all or nothing at every step, nothing private, nothing missing."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.cards.scores import ScoreRecord, add_score
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import ConfigError, FolderError, HubError
from adapterkit.formats.adapterhub import load_adapter, read_folder, save_adapter
from adapterkit.formats.places import PUBLISHED
from adapterkit.metrics import Score
from adapterkit.nn.embedding_rows import EmbeddingRows
from adapterkit.publishing import parcel, sources, staging
from adapterkit.publishing.push import OURS, push
from tests.publishing import memory_hub
from tests.publishing.memory_hub import MemoryHub

ME = "me/tiny-cym"
SECRET = "hf_" + "a1B2" * 8


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryHub:
    made = memory_hub.install(monkeypatch, tmp_path)
    monkeypatch.setattr(parcel, "token_in_use", lambda: None)
    monkeypatch.setattr(sources, "is_public", lambda repository, commit: False)
    return made


def save(backbone: Backbone, place: Path, *, seed: int = 3, **provenance: object) -> Path:
    made = new_adapter(
        "cym",
        BottleneckConfig(2, invertible=True, leave_out=(2,)),
        backbone=backbone.facts,
        kind="language",
        language="cym",
        seed=seed,
    )
    made.provenance = {"task": "masked-lm", **provenance}
    return save_adapter(made, place)


@pytest.fixture
def folder(backbone: Backbone, tmp_path: Path) -> Path:
    return save(backbone, tmp_path / "cym")


def publish(folder: Path, repository: str = ME, **options: object):  # type: ignore[no-untyped-def] # noqa: ANN201
    usual = {"license": "cc-by-4.0", "base_model": "me/tiny"}
    return push(folder, repository, **{**usual, **options})  # type: ignore[arg-type]


def test_one_commit_holds_all_of_it_and_has_a_tag(hub: MemoryHub, folder: Path) -> None:
    made = publish(folder)
    there = hub.repositories[ME]
    assert hub.calls.count("create_commit") == 1
    assert made.commit == there.head == there.tags["v1"]
    ours = {"README.md", "adapter.safetensors", "adapter_config.json", "adapterkit.json"}
    assert set(there.files) == {*ours, ".gitattributes"}
    assert set(made.files) == ours
    assert 'revision="v1"' in there.files["README.md"].decode()


def test_what_is_published_loads_as_the_same_adapter(
    hub: MemoryHub, folder: Path, tmp_path: Path
) -> None:
    publish(folder)
    back = tmp_path / "back"
    back.mkdir()
    for name, data in hub.repositories[ME].files.items():
        (back / name).write_bytes(data)
    loaded = load_adapter(back)
    assert loaded.digest() == load_adapter(folder).digest()
    assert loaded.backbone.name == "me/tiny"


def test_embedding_rows_go_along_and_the_card_says_who_reads_them(
    hub: MemoryHub, backbone: Backbone, tmp_path: Path
) -> None:
    made = read_folder(save(backbone, tmp_path / "plain"))
    made.embedding_rows = EmbeddingRows(torch.arange(5, 12), backbone.width)
    told = publish(save_adapter(made, tmp_path / "rows"), dry_run=True)
    assert "embedding_rows.safetensors" in told.files
    assert "changes 7 rows of the vocabulary" in told.texts["README.md"]
    plain = publish(tmp_path / "plain", dry_run=True)
    assert "rows of the vocabulary" not in plain.texts["README.md"]


def test_again_changes_nothing(hub: MemoryHub, folder: Path) -> None:
    first = publish(folder)
    calls = len(hub.calls)
    again = publish(folder)
    assert again.unchanged
    assert again.commit == first.commit
    assert again.tag == "v1"
    assert {"create_commit", "create_repo", "create_tag"}.isdisjoint(hub.calls[calls:])


def test_another_version_has_the_next_tag_and_leaves_nothing_of_the_old_one(
    hub: MemoryHub, backbone: Backbone, folder: Path
) -> None:
    publish(folder)
    there = hub.repositories[ME]
    there.add({**there.files, "pytorch_adapter.bin": b"old", "LICENSE": b"theirs"})
    made = publish(save(backbone, folder, seed=9))
    assert made.tag == "v2"
    assert made.deleted == ("pytorch_adapter.bin",)
    assert "pytorch_adapter.bin" not in there.files
    assert there.files["LICENSE"] == b"theirs"
    assert 'revision="v2"' in there.files["README.md"].decode()
    assert there.tags["v1"] == there.order[1]


CALLS = (
    *("model_info", "create_repo", "model_info", "list_repo_refs"),
    *("create_commit", "model_info", "list_repo_refs", "create_tag"),
)


@pytest.mark.long
@pytest.mark.parametrize("landed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, len(CALLS) + 1))
def test_cut_anywhere_it_is_whole_or_absent_and_a_repetition_ends_well(
    hub: MemoryHub, folder: Path, number: int, landed: bool
) -> None:
    hub.cut = (number, landed)
    cut = False
    try:
        publish(folder)
    except HubError:
        cut = True
    for there in hub.repositories.values():
        for files in there.commits.values():
            assert not set(files) & OURS or len(set(files) & OURS) == 4  # nothing partial, ever
    hub.cut = None
    made = publish(folder)
    there = hub.repositories[ME]
    assert there.tags == {"v1": there.head}
    assert made.commit == there.head
    assert len(there.order) == 2  # .gitattributes, and one commit of ours
    assert cut != (landed and CALLS[number - 1] in ("create_commit", "create_tag"))


def test_every_call_of_a_push_was_cut_once(hub: MemoryHub, folder: Path) -> None:
    publish(folder)
    assert tuple(hub.calls) == CALLS


def test_of_two_pushes_at_once_one_wins_and_the_other_is_told(
    hub: MemoryHub, backbone: Backbone, folder: Path, tmp_path: Path
) -> None:
    other = save(backbone, tmp_path / "other", seed=8)
    publish(folder)
    first = hub.repositories[ME].head
    hub.before_commit = lambda: publish(other) and None
    mine = save(backbone, tmp_path / "mine", seed=7)
    with pytest.raises(HubError, match=r"somebody else has changed it meanwhile.*nothing is lost"):
        publish(mine)
    there = hub.repositories[ME]
    assert len(there.order) == 3
    assert there.tags == {"v1": first, "v2": there.head}
    assert publish(mine).tag == "v3"  # looked at, and published over it on purpose


def test_what_the_hub_holds_otherwise_is_not_tagged(hub: MemoryHub, folder: Path) -> None:
    hub.corrupt = True
    with pytest.raises(HubError, match=r"(?s)not tagged.*adapter\.safetensors: otherwise"):
        publish(folder)
    assert not hub.repositories[ME].tags
    hub.corrupt = False
    assert publish(folder).tag == "v1"


def test_a_dry_run_sends_nothing_and_tells_what_a_push_then_makes_public(
    hub: MemoryHub, folder: Path
) -> None:
    told = publish(folder, dry_run=True)
    assert {"create_commit", "create_repo", "create_tag"}.isdisjoint(hub.calls)
    assert not hub.repositories
    assert not (folder / PUBLISHED).exists()
    made = publish(folder)
    assert dict(made.files) == dict(told.files)
    for name, text in told.texts.items():
        assert hub.repositories[ME].files[name].decode() == text


def test_a_dry_run_needs_no_hub(hub: MemoryHub, folder: Path) -> None:
    hub.cut = (1, False)
    told = publish(folder, dry_run=True)
    assert "could not be asked" in told.note
    assert told.tag == "v1"


def test_all_that_is_missing_is_said_at_once(
    hub: MemoryHub, backbone: Backbone, tmp_path: Path
) -> None:
    head = HeadConfig("tagging", ("A", "B"))
    made = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    place = save_adapter(made, tmp_path / "pos")
    with pytest.raises(ConfigError, match=r"(?s)language: .*backbone: 'tiny' is no Hub.*licence: "):
        push(place, ME)
    record = json.loads((place / "adapterkit.json").read_text())
    del record["backbone"]["digest"]
    (place / "adapterkit.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="no digest of its weights"):
        publish(place, language="en")
    assert not hub.calls


def test_what_contradicts_the_folder_is_refused(hub: MemoryHub, folder: Path) -> None:
    with pytest.raises(ConfigError, match="for 'cym'"):
        publish(folder, language="br")
    with pytest.raises(ConfigError, match="no licence that the Hub knows"):
        publish(folder, license="free")
    for wrong in ("cym", "a/b/c", "../x", "me/"):
        with pytest.raises(HubError, match="owner/name"):
            publish(folder, wrong)
    assert not hub.calls


def test_a_broken_folder_is_not_published(hub: MemoryHub, folder: Path) -> None:
    (folder / "adapter.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(FolderError):
        publish(folder)
    assert not hub.calls


def test_paths_and_user_names_are_taken_out(
    hub: MemoryHub, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "user_names", lambda: frozenset({"alice"}))
    place = save(
        backbone,
        tmp_path / "cym",
        corpus={"files": ["/home/alice/corpora/cym.txt", r"C:\Users\alice\cym.txt"]},
        note=f"read from {tmp_path}/x/cym.txt by alice; see https://example.org/a/b",
    )
    made = publish(place)
    record = json.loads(hub.repositories[ME].files["adapterkit.json"])
    assert record["provenance"]["corpus"]["files"] == ["cym.txt", "cym.txt"]
    note = record["provenance"]["note"]
    assert note == "read from cym.txt by (user); see https://example.org/a/b"
    assert made.removed == ("corpus.files[0]", "corpus.files[1]", "note")
    for data in hub.repositories[ME].files.values():
        assert b"alice" not in data
        assert str(tmp_path).encode() not in data
    assert "alice" in json.dumps(read_folder(place).provenance)  # the folder itself is only read


def test_a_token_stops_everything_and_is_not_shown(
    hub: MemoryHub, backbone: Backbone, tmp_path: Path
) -> None:
    place = save(backbone, tmp_path / "cym", environment={"HF_TOKEN": SECRET})
    with pytest.raises(ConfigError, match=r"adapterkit.json: holds an access token") as caught:
        publish(place, dry_run=True)
    assert SECRET not in str(caught.value)
    place = save(backbone, tmp_path / "clean")
    (place / "card.toml").write_text(f'contact = "my token is {SECRET}"\n')
    with pytest.raises(ConfigError, match=r"README.md: holds an access token"):
        publish(place)
    assert not hub.repositories


@pytest.mark.long
def test_the_source_adapter_is_told_by_where_it_is_published(
    hub: MemoryHub,
    backbone: Backbone,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = load_adapter(folder).digest()
    head = HeadConfig("tagging", ("A", "B"))
    made = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    made.provenance = {"task": "upos", "over": [{"name": "cym", "digest": digest}], "init": None}
    task = save_adapter(made, tmp_path / "pos")
    options = {"language": "cy"}

    never = publish(task, "me/pos", dry_run=True, **options)
    assert json.loads(never.texts["adapterkit.json"])["provenance"]["over"] == [
        {"name": "cym", "digest": digest}
    ]
    assert "never" in never.texts["README.md"]

    commit = publish(folder).commit
    private = publish(task, "me/pos", dry_run=True, **options)  # nobody else can see it
    assert ME not in private.texts["adapterkit.json"]
    monkeypatch.setattr(
        sources, "is_public", lambda repository, at: (repository, at) == (ME, commit)
    )
    public = publish(task, "me/pos", dry_run=True, **options)
    assert json.loads(public.texts["adapterkit.json"])["provenance"]["over"] == [
        {"name": "cym", "digest": digest, "repository": ME, "commit": commit}
    ]
    assert f'ak.load_adapter("{ME}", revision="{commit}")' in public.texts["README.md"]


def test_an_adapter_for_mini_names_adapterkit_mini(hub: MemoryHub) -> None:
    from adapterkit.formats.places import starters

    for base in (None, "mini"):
        told = publish(
            starters()["pos"], "me/pos", language="en", base_model=base, dry_run=True
        ).texts
        assert "base_model: adapterkit/mini\n" in told["README.md"]
        assert json.loads(told["adapterkit.json"])["backbone"]["name"] == "adapterkit/mini@2"
        assert 'ak.load_adapter("mini:eng")' in told["README.md"]  # over which it was trained


def test_scores_of_another_version_are_refused(hub: MemoryHub, folder: Path) -> None:
    mine = load_adapter(folder).digest()
    own = {"own": Score(0.5, 0.4, 0.6)}

    def of(digest: str) -> ScoreRecord:
        return ScoreRecord(
            "upos", "cym", "/home/me/x.conllu", "", "test", "f1", 9, (("cym", digest),), own
        )

    add_score(folder, of(mine))
    files = publish(folder).texts
    assert json.loads(files["scores.json"])["scores"][0]["dataset"] == "x.conllu"
    assert "50.0 \\[40.0, 60.0\\]" in files["README.md"]
    add_score(folder, of("older"))
    with pytest.raises(FolderError, match="scores of another adapter"):
        publish(folder)


def test_private_stays_private(hub: MemoryHub, folder: Path) -> None:
    assert publish(folder, private=True).private
    assert hub.repositories[ME].private
    assert publish(folder).private
    publish(folder, "me/open")
    with pytest.raises(HubError, match="everybody can see it"):
        publish(folder, "me/open", private=True)


def test_a_repository_with_something_else_is_left_alone(hub: MemoryHub, folder: Path) -> None:
    hub.create_repo(ME, private=False, exist_ok=True)
    hub.repositories[ME].add({"model.safetensors": b"a model"})
    with pytest.raises(HubError, match=r"something else than an adapter: model.safetensors"):
        publish(folder)
    assert hub.repositories[ME].files == {"model.safetensors": b"a model"}


def test_a_stranger_is_told_to_log_in(
    hub: MemoryHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise memory_hub.error(401)

    monkeypatch.setattr(hub, "create_repo", refuse)
    with pytest.raises(HubError, match="hf auth login"):
        publish(folder)


def test_a_lora_is_published_in_pefts_layout(
    hub: MemoryHub, backbone: Backbone, tmp_path: Path
) -> None:
    from adapterkit.methods import shape_of_method

    shape = shape_of_method(
        backbone, "lora", reduction_factor=2.0, rank=2, invertible=False, leave_out=()
    )
    made = new_adapter("cym", shape, backbone=backbone.facts, kind="language", language="cym")
    told = publish(save_adapter(made, tmp_path / "lora"))
    assert set(told.files) >= {"adapter_model.safetensors", "adapter_config.json"}
    assert "library_name: peft" in told.texts["README.md"]
    assert json.loads(told.texts["adapter_config.json"])["base_model_name_or_path"] == "me/tiny"


def test_no_token_is_sent_over_a_plain_connection(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://hub.example.org")
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    with pytest.raises(HubError, match="only https:// is used"):
        publish(folder)


def test_an_adapter_is_no_folder_to_publish(folder: Path) -> None:
    adapter: Any = load_adapter(folder)
    with pytest.raises(
        ConfigError, match=r"takes a folder, not Adapter\('cym': language, cym, for "
    ):
        publish(adapter)
