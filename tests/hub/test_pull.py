"""Pulling from an honest Hub: what is asked, what is written, what is said; and what a bad line does."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

import adapterkit as ak
from adapterkit.cli.app import app
from adapterkit.errors import ConfigError, HubError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.hub import listing
from adapterkit.hub.names import parse
from tests.hub.hub import LocalHub
from tests.hub.makers import (
    NAME,
    WEIGHTS,
    everything,
    old_adapter,
    old_lora,
    refused,
    small_adapter,
)


@pytest.fixture
def one(local: LocalHub) -> LocalHub:
    """With one good adapter, and its log empty."""
    local.plant(NAME, small_adapter())
    local.empty_log()
    return local


def asked(hub: LocalHub) -> list[str]:
    """The names of what was asked for, in order."""
    return [entry["path"].rsplit("/", 1)[-1] for entry in hub.log()]


def test_a_pull_asks_once_for_the_commit_and_once_for_each_file(
    one: LocalHub, tmp_path: Path
) -> None:
    done = ak.pull(NAME, tmp_path / "out")
    assert done.commit == one.show(NAME)["branches"]["main"]
    names = [name for name in asked(one) if len(name) < 60]
    assert names == ["main", *sorted(small_adapter())]
    files = everything(tmp_path / "out")
    origin = json.loads(files.pop("pulled.json"))
    assert files == small_adapter()
    assert origin["commit"] == done.commit
    assert origin["files"] == dict(done.files)
    assert load_adapter(tmp_path / "out").digest() == done.digest


def test_a_second_pull_asks_for_the_commit_only_and_a_pinned_one_for_nothing(
    one: LocalHub, tmp_path: Path
) -> None:
    commit = ak.pull(NAME).commit
    one.empty_log()
    ak.pull(NAME, tmp_path / "a")
    assert asked(one) == ["main"]
    one.empty_log()
    ak.load_adapter(NAME, revision=commit)
    assert asked(one) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("reference", "revision"),
    [
        (NAME, "v1"),
        (f"hub:{NAME}", "v1"),
        (f"https://huggingface.co/{NAME}/tree/v1", None),
        (f"https://huggingface.co/{NAME}/blob/v1/README.md", "v1"),
        ("{url}/" + NAME + "/commit/{commit}", None),
    ],
)
def test_ids_urls_and_tags_mean_their_revision(
    one: LocalHub, tmp_path: Path, reference: str, revision: str | None
) -> None:
    commit = one.show(NAME)["branches"]["main"]
    one.change(NAME, {"tags": {"v1": commit}})
    one.plant(NAME, small_adapter(seed=2))
    reference = reference.format(url=one.url, commit=commit)
    assert ak.pull(reference, revision=revision).commit == commit
    assert (
        ak.load_adapter(reference, revision=revision).digest()
        == ak.pull(NAME, revision=commit).digest
    )


@pytest.mark.parametrize(
    ("old", "backbone", "name"),
    [
        ("sw/wiki@ukp", "xlm-roberta-base", "xlm-roberta-base-sw-wiki_pfeiffer"),
        ("sw/wiki@ukp", "FacebookAI/xlm-roberta-large", "xlm-roberta-large-sw-wiki_pfeiffer"),
        ("zh_yue/wiki@ukp", "bert-base-multilingual-cased", "bert-base-multilingual-cased-zh_yue-wiki_pfeiffer"),
        ("@ukp/xlm-roberta-base-sw-wiki_houlsby", None, "xlm-roberta-base-sw-wiki_houlsby"),
    ],
)  # fmt: skip
def test_old_adapterhub_ids_are_found_under_their_names_on_the_hub(
    local: LocalHub, tmp_path: Path, old: str, backbone: str | None, name: str
) -> None:
    local.plant(f"AdapterHub/{name}", old_adapter())
    assert ak.pull(old, tmp_path / "out", backbone=backbone).repository == f"AdapterHub/{name}"


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        ("sw/wiki@ukp", "say which"),
        ("sentiment/sst-2@ukp", "of AdapterHub's old ids"),
        ("me", "no Hub repository id"),
        ("../me", "no Hub repository id"),
        ("me/na me", "no Hub repository id"),
        ("a/b/c", "no Hub repository id"),
        ("https://example.org/me/name", "is not a page of the Hub"),
        ("http://huggingface.co/me/name", "is not a page of the Hub"),
        ("https://huggingface.co/me", "not the page of a repository"),
        ("https://huggingface.co/../etc", "not the page of a repository"),
    ],
)
def test_what_means_no_repository_is_refused_before_anything_is_asked(
    local: LocalHub, reference: str, match: str
) -> None:
    with pytest.raises(HubError, match=match):
        ak.pull(reference)
    assert local.log() == []


def test_an_old_pickle_is_converted_with_the_same_weights(local: LocalHub, tmp_path: Path) -> None:
    local.plant(NAME, old_adapter())
    done = ak.pull(NAME, tmp_path / "out")
    assert done.converted == ("pytorch_adapter.bin",)
    names = set(everything(tmp_path / "out"))
    assert WEIGHTS in names
    assert not any(name.endswith(".bin") for name in names)
    assert "README.md" in names
    good = tmp_path / "good"
    good.mkdir()
    for name, data in small_adapter().items():
        (good / name).write_bytes(data)
    assert load_adapter(tmp_path / "out").digest() == load_adapter(good).digest()
    assert ak.load_adapter(NAME).digest() == done.digest


def test_an_old_lora_has_the_name_of_its_folder(local: LocalHub, tmp_path: Path) -> None:
    local.plant(NAME, old_lora())
    done = ak.pull(NAME, tmp_path / "my.welsh")
    assert done.converted == ("adapter_model.bin",)
    assert load_adapter(tmp_path / "my.welsh").name == "my_welsh"


def test_a_place_that_is_taken_is_left_as_it_is_unless_it_may_be_overwritten(
    one: LocalHub, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ak.pull(NAME, out)
    before = everything(out)
    one.plant(NAME, small_adapter(seed=2))
    one.empty_log()
    with pytest.raises(ConfigError, match="already holds an adapter"):
        ak.pull(NAME, out)
    assert everything(out) == before
    assert one.log() == []
    ak.pull(NAME, out, overwrite=True)
    assert (out / WEIGHTS).read_bytes() == small_adapter(seed=2)[WEIGHTS]


@pytest.mark.long
@pytest.mark.parametrize("name", ["README.md", "src/data.json", "pytorch_adapter.bin"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_of_ones_own_is_never_replaced_or_cleared_away(
    local: LocalHub, tmp_path: Path, name: str, overwrite: bool
) -> None:
    local.plant(NAME, {**small_adapter(), "src/data.json": b"{}"})
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    before = everything(out)
    if overwrite and name.endswith(".bin"):
        ak.pull(NAME, out, overwrite=True)  # the weights of an adapter that was there
        assert not (out / name).exists()
        return
    with pytest.raises(ConfigError, match=rf"would be replaced by other ones:\n  {name}\n"):
        ak.pull(NAME, out, overwrite=overwrite)
    assert everything(out) == before


def test_what_was_pulled_before_is_replaced_where_it_may_be(
    local: LocalHub, tmp_path: Path
) -> None:
    local.plant(NAME, {**small_adapter(), "src/data.json": b"{}"})
    out = tmp_path / "out"
    ak.pull(NAME, out)
    (out / "notes.txt").write_text("mine")
    local.plant(NAME, {**small_adapter(seed=2), "src/data.json": b"[]"})
    ak.pull(NAME, out, overwrite=True)
    assert (out / "src/data.json").read_text() == "[]"
    assert (out / "notes.txt").read_text() == "mine"


def test_nothing_stays_of_what_was_pulled_before_but_what_was_altered(
    local: LocalHub, tmp_path: Path
) -> None:
    first = {"NOTICE": b"of the first", "scores.json": b"{}", "src/x.txt": b"x"}
    local.plant(NAME, {**small_adapter(), **first})
    out = tmp_path / "out"
    ak.pull(NAME, out)
    (out / "scores.json").write_text("mine now")
    local.plant(NAME, small_adapter(seed=2), only=True)
    ak.pull(NAME, out, overwrite=True)
    assert not (out / "NOTICE").exists()
    assert not (out / "src/x.txt").exists()
    assert (out / "scores.json").read_text() == "mine now"


@pytest.mark.parametrize(
    ("fields", "token", "match"),
    [
        ({"gated": True}, "hf_bob", "given only to those whom the owner lets in"),
        ({"private": True}, "hf_bob", "no such repository, or it is private"),
        ({"private": True}, "", "no such repository, or it is private"),
    ],
)
def test_a_door_that_is_closed_is_told_apart(
    one: LocalHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fields: Any,
    token: str,
    match: str,
) -> None:
    one.change(NAME, fields)
    monkeypatch.setenv("HF_TOKEN", token)
    with refused(one, tmp_path, match):
        ak.pull(NAME, tmp_path / "out")


def test_what_is_not_there_is_named(one: LocalHub, tmp_path: Path) -> None:
    with refused(one, tmp_path, "alice/none: there is no such repository"):
        ak.pull("alice/none", tmp_path / "out")
    with refused(one, tmp_path, "no such branch, tag or commit"):
        ak.pull(NAME, tmp_path / "out", revision="v9")
    with refused(one, tmp_path, "^there is no folder alice/none here, so .*: there is no such rep"):
        ak.load_adapter("alice/none")
    one.plant("alice/else", {"model.py": b"", "data.json": b"{}"})
    with refused(one, tmp_path, "has no adapter_config.json; it has data.json", kept=True):
        ak.pull("alice/else", tmp_path / "out")


def test_a_repository_that_was_renamed_is_found_and_that_is_said(
    one: LocalHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from huggingface_hub import HfApi

    HfApi(endpoint=one.url).move_repo(NAME, "alice/welsh")
    assert ak.pull(NAME, tmp_path / "out").repository == "alice/welsh"
    assert f"{NAME} is now called alice/welsh" in caplog.text


def test_hubs_have_caches_of_their_own(
    one: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ak.pull(NAME)
    monkeypatch.setattr(constants, "ENDPOINT", one.second_url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="is not in the cache"):
        ak.load_adapter(NAME)


@pytest.mark.parametrize(
    ("limit", "value", "match"),
    [
        ("MAX_FILE_BYTES", 100, f"{WEIGHTS} has .* bytes, more than 100"),
        ("MAX_SMALL_BYTES", 100, "adapter_config.json has .* bytes, more than 100"),
        ("MAX_BYTES", 1000, "bytes in all, more than 1000"),
        ("MAX_FILES", 2, "4 files; too many"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_asked_for(
    one: LocalHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    match: str,
) -> None:
    monkeypatch.setattr(listing, limit, value)
    with refused(one, tmp_path, match):
        ak.pull(NAME, tmp_path / "out")
    assert asked(one) == ["main"]


def test_a_disk_that_is_full_is_noticed_before(
    one: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10))
    with refused(one, tmp_path, "needs .* bytes, the disk of .* has 10"):
        ak.pull(NAME, tmp_path / "out")


def test_the_command_line_pulls(one: LocalHub, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = CliRunner().invoke(app, ["pull", NAME, "--out", str(out), "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["commit"] == one.show(NAME)["branches"]["main"]
    assert told["files"][WEIGHTS]["size"] == (out / WEIGHTS).stat().st_size
    run = CliRunner().invoke(app, ["pull", NAME, "--out", str(tmp_path / "b")])
    assert told["commit"] in run.stdout


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(HubError, match="is no address"):
        parse("https://[x/a/b")


@pytest.mark.parametrize("name", ["me/name", "hub:me/name"])
def test_a_plain_id_names_no_revision(name: str) -> None:
    assert parse(name).revision is None


@pytest.mark.long
def test_a_stack_that_pins_its_parts_is_pulled_and_predicts_from_its_folder(
    local: LocalHub, tmp_path: Path
) -> None:
    made = ak.save_stack(["mini:eng", "mini:pos"], tmp_path / "made")
    local.plant(NAME, made)
    done = ak.pull(NAME, tmp_path / "out")
    assert list(done.files) == ["stack.json"]
    assert done.digest == ""
    words = ["This works ."]
    assert ak.predict(ak.load_stack(tmp_path / "out"), words) == ak.predict(
        ak.load_stack(made), words
    )
    with pytest.raises(ConfigError, match="already holds"):
        ak.pull(NAME, tmp_path / "out")


def test_a_stack_that_pins_nothing_is_refused_and_leaves_no_folder(
    local: LocalHub, tmp_path: Path
) -> None:
    local.plant(NAME, {"stack.json": b'{"format": 1, "parts": []}'})
    with pytest.raises(ak.AdapterkitError, match="parts: a list of 1 to"):
        ak.pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()
