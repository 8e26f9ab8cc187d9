"""A name or a folder: which of the two a reference means is decided here, never by the network."""

import contextlib
import logging
from pathlib import Path

import pytest
from huggingface_hub import constants

from adapterkit.backbone.load import load_backbone
from adapterkit.errors import ConfigError, FolderError, HubError
from adapterkit.files import read_json, write_json
from adapterkit.formats import places
from adapterkit.hub import fetching as hub
from adapterkit.hub import store
from tests.tiny import make_backbone, make_encoder_decoder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the Hub; nothing leaves this process."""
    seen: list[str] = []

    def fetch(repository: str, *unused: object) -> store.Fetched:
        seen.append(repository)
        return store.Fetched(Path("/nowhere"), repository, "", "", "", "", {}, {})

    monkeypatch.setattr(store, "fetch", fetch)
    return seen


def test_an_existing_folder_shadows_a_hub_name_and_that_is_logged(
    tmp_path: Path,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "me" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO, logger="adapterkit"):
        assert places.folder_of("me/name") == Path("me/name")
        places.folder_of("you/other")
    assert asked == ["you/other"]
    assert "the folder me/name" in caplog.text
    assert "the Hub repository you/other" in caplog.text


def test_a_name_in_a_folder_here_is_a_missing_folder_and_the_hub_is_not_asked(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cym", "cym-small", "pos"):
        (tmp_path / "adapters" / name).mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError, match=r"adapters/cymm: .*; adapters has: cym, .*hub:adapters/"):
        places.folder_of("adapters/cymm")
    with pytest.raises(FolderError, match="adapters has: cym, cym-small, pos;"):
        load_backbone("adapters/base")
    with pytest.raises(FolderError, match="empty has no folders"):
        places.folder_of("empty/cym")
    assert not asked
    places.folder_of("hub:adapters/cymm")
    assert asked == ["adapters/cymm"]


def test_a_name_that_neither_folder_nor_hub_has_is_said_to_have_been_taken_for_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    said = "^there is no folder adapters/nope here, so it was taken for a Hub id; adapters/nope: is not"
    with pytest.raises(HubError, match=f"{said}.*adapterkit pull adapters/nope"):
        places.folder_of("adapters/nope")
    with pytest.raises(HubError, match=r"^adapters/nope: is not in the cache"):
        places.folder_of("hub:adapters/nope")
    with pytest.raises(HubError, match=r"^there is no folder nosuch here.*--backbone nosuch"):
        load_backbone("nosuch")


def test_hub_names_never_mean_a_folder(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    places.folder_of("hub:me/name")
    assert asked == ["me/name"]


@pytest.mark.parametrize("reference", ["./me/name", "../x", "/me/name", "~/me", "a/b/c", "name"])
def test_paths_never_mean_the_hub(
    reference: str, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError, match="there is no such folder"):
        places.folder_of(reference)
    assert not asked


@pytest.mark.parametrize("reference", ["~nosuchuser/x", "a" * 300, "./" + "a" * 300, "a\0b"])
def test_what_no_path_can_be_is_no_folder(reference: str, asked: list[str]) -> None:
    with pytest.raises(FolderError, match="there is no such folder"):
        places.folder_of(reference)
    assert not asked


def test_a_revision_of_what_is_on_this_machine_is_refused_not_ignored(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for reference in ("me/name", Path("me/name"), "mini:eng"):
        with pytest.raises(ConfigError, match=r"a folder has no revisions, so not 'v1'(.|\n)*hub:"):
            places.folder_of(reference, revision="v1")
    for reference in ("me/name", "mini", "adapterkit/mini"):
        with pytest.raises(ConfigError, match="a folder has no revisions, so not 'v1'"):
            load_backbone(reference, revision="v1")
    assert not asked
    places.folder_of("hub:me/name", revision="v1")
    assert asked == ["me/name"]


def test_code_that_a_backbones_folder_brings_is_never_run(tmp_path: Path) -> None:
    folder = make_backbone(tmp_path / "b", "xlm-roberta")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    config = read_json(folder / "config.json")
    config["auto_map"] = {
        name: "evil.Evil" for name in ("AutoConfig", "AutoModel", "AutoModelForMaskedLM")
    }
    write_json(folder / "config.json", config)
    assert load_backbone(folder).layers == 3
    assert not (tmp_path / "ran").exists()


def _answering_yes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked on the terminal; whoever asks is told "y"."""
    questions: list[str] = []

    def answer(question: str = "") -> str:
        questions.append(question)
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    return questions


def test_code_for_an_unknown_architecture_is_neither_run_nor_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = _answering_yes(monkeypatch)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    config = {"model_type": "evilbert", "auto_map": {"AutoConfig": "evil.Evil"}}
    write_json(tmp_path / "config.json", config)
    with pytest.raises(ConfigError, match="'evilbert' are not supported"):
        load_backbone(tmp_path)
    write_json(tmp_path / "config.json", {"auto_map": config["auto_map"], "model_type": ["bert"]})
    with pytest.raises(ConfigError, match="are not supported"):
        load_backbone(tmp_path)
    assert not questions
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "written", [{"AutoTokenizer": ["evil.Evil", "evil.Evil"]}, ["evil.Evil", None]]
)
def test_code_for_a_tokenizer_is_neither_run_nor_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: object, known: bool
) -> None:
    questions = _answering_yes(monkeypatch)
    folder = make_backbone(tmp_path / "b", "xlm-roberta")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    config = read_json(folder / "tokenizer_config.json")
    name = config["tokenizer_class"] if known else "Evil"
    write_json(
        folder / "tokenizer_config.json", {**config, "auto_map": written, "tokenizer_class": name}
    )
    # Where the class is unknown, too, transformers 4.57 has none to read it with.
    with contextlib.suppress(*(() if known else (FolderError,))):
        assert load_backbone(folder).token_ids(["ab"])
    assert not questions
    assert not (tmp_path / "ran").exists()


@pytest.mark.long
@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
@pytest.mark.parametrize("model_type", ["xlm-roberta", "deberta-v2", "mt5"])
def test_code_for_attention_is_not_fetched(tmp_path: Path, model_type: str, key: str) -> None:
    make = make_encoder_decoder if model_type == "mt5" else make_backbone
    folder = make(tmp_path / "b", model_type)
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, key: "evil/attention"})
    assert load_backbone(folder).config._attn_implementation in ("eager", "sdpa")


@pytest.mark.parametrize("name", ["custom_generate/generate.py", "adapter_config.json"])
def test_files_that_transformers_would_load_something_else_for_are_refused(
    tmp_path: Path, name: str
) -> None:
    folder = make_encoder_decoder(tmp_path / "b", "mt5")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(FolderError, match=name):
        load_backbone(folder)
    assert not (tmp_path / "ran").exists()


def test_old_weights_of_every_format_are_fetched_only_where_nothing_stands_in_for_them() -> None:
    old = list(hub.OLD_WEIGHTS)
    assert hub.adapter_files([*old, "x.py", "x.pt", "pytorch_model.bin"]) == old
    assert hub.adapter_files([*old, *hub.OLD_WEIGHTS.values()]) == list(hub.OLD_WEIGHTS.values())
    paths = ["a/pytorch_adapter.bin", "adapter.safetensors", "a/adapter.safetensors"]
    assert hub.adapter_files(paths) == paths[1:]
    assert hub.adapter_files(paths[:2]) == paths[:2]


def test_backbones_are_fetched_without_what_is_not_theirs() -> None:
    files = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
    old = ["pytorch_model.bin", "modeling.py", ".x.model", "sub/model.safetensors"]
    assert hub.backbone_files([*files, *old]) == files
    assert hub.backbone_files(["config.json", *old]) == ["config.json", "pytorch_model.bin"]


def test_a_backbone_in_several_files_comes_with_their_index() -> None:
    index = "model.safetensors.index.json"
    files = ["added_tokens.json", "config.json", "model-00001-of-00001.safetensors", index]
    old = ["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"]
    assert hub.backbone_files([*files, *old]) == files
    assert hub.backbone_files([*files[:2], *old]) == [*files[:2], *old]
