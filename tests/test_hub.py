"""A name or a folder: which of the two a reference means is decided here, never by the network."""

import logging
from pathlib import Path

import pytest

from adapterkit import hub
from adapterkit.backbone.load import load_backbone
from adapterkit.errors import FolderError
from adapterkit.files import read_json, write_json
from adapterkit.formats import places
from tests.tiny import make_backbone


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the Hub; nothing leaves this process."""
    names: list[str] = []

    def snapshot(repository: str, *unused: object) -> Path:
        names.append(repository)
        return Path("/nowhere")

    monkeypatch.setattr(hub, "_snapshot", snapshot)
    return names


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
        places.folder_of("me/other")
    assert asked == ["me/other", "me/other"]  # once for safetensors, once for what else there is
    assert "the folder me/name" in caplog.text
    assert "the Hub repository me/other" in caplog.text


def test_hub_names_never_mean_a_folder(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    places.folder_of("hub:me/name")
    assert set(asked) == {"me/name"}


@pytest.mark.parametrize("reference", ["./me/name", "../x", "/me/name", "~/me", "a/b/c", "name"])
def test_paths_never_mean_the_hub(reference: str, asked: list[str]) -> None:
    with pytest.raises(FolderError, match="there is no such folder"):
        places.folder_of(reference)
    assert not asked


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


def test_old_weights_of_every_format_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from fnmatch import fnmatch

    wanted: list[tuple[str, ...]] = []

    def snapshot(repository: str, revision: str | None, allow: tuple[str, ...]) -> Path:
        wanted.append(allow)
        return Path("/nowhere")

    monkeypatch.setattr(hub, "_snapshot", snapshot)
    hub.fetch_adapter("me/lora")
    for name in ("pytorch_adapter.bin", "pytorch_model_head.bin", "adapter_model.bin"):
        assert any(fnmatch(name, pattern) for pattern in wanted[-1])
        assert not any(fnmatch(name, pattern) for pattern in wanted[0])
