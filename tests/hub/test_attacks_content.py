"""Attacks 26 to 46: an honest Hub with hostile content. Each is pulled from it, and refused.

What is wrong with a folder is tried exhaustively in ``tests/formats``; here, that it comes by the Hub and is met.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import adapterkit as ak
from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import HeadConfig
from adapterkit.errors import AdapterMismatch, FolderError, HubError
from adapterkit.files import read_json, write_json
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.methods import low_rank
from tests.formats.broken_configs import CONFIGURATIONS
from tests.formats.broken_peft import LORA, says
from tests.formats.broken_weights import WEIGHT_FILES
from tests.formats.folders import Edit, copy_of, make_folder
from tests.hub.hub import LocalHub
from tests.hub.makers import NAME, WEIGHTS, refused, small_adapter
from tests.tiny import make_backbone

BOTTLENECKS = {
    "26 pickle, raw": WEIGHT_FILES["hostile pickle, old"],
    "27 pickle, zip": WEIGHT_FILES["hostile pickle, zip"],
    "27 a pickle that takes memory": WEIGHT_FILES["pickle that takes memory"],
    "28 pickle called safetensors": WEIGHT_FILES["pickle called safetensors"],
    "29 smuggled embeddings": WEIGHT_FILES["smuggled embeddings"],
    "29 smuggled in the head": WEIGHT_FILES["smuggled in the head's file"],
    "30 another adapter's keys": WEIGHT_FILES["another adapter's keys"],
    "31 NaN": WEIGHT_FILES["NaN"],
    "31 Inf": WEIGHT_FILES["Inf"],
    "32 huge values": WEIGHT_FILES["huge values"],
    "33 no tensors": WEIGHT_FILES["no tensors"],
    "34 misshapen": WEIGHT_FILES["misshapen"],
    "35 too many tensors": WEIGHT_FILES["header of too many tensors"],
    **{
        f"36 {name}": WEIGHT_FILES[name]
        for name in WEIGHT_FILES
        if name.startswith("header") and name != "header of too many tensors"
    },
    "36 huge header": WEIGHT_FILES["huge header"],
    "36 bytes behind the end": WEIGHT_FILES["bytes behind the end"],
    "39 code to import": CONFIGURATIONS["code to import"],
    "40 a pattern that hangs": CONFIGURATIONS["a pattern that hangs"],
    "41 a factor next to nothing": CONFIGURATIONS["reduction factor next to nothing"],
    "41 a hidden size without end": CONFIGURATIONS["hidden size of a trillion"],
    "42 nested far too deep": CONFIGURATIONS["nested far too deep"],
    "42 no object": CONFIGURATIONS["no object"],
    "42 no JSON": CONFIGURATIONS["no JSON"],
}
LORAS: dict[str, tuple[Edit, str]] = {
    "29 smuggled embeddings": LORA["smuggled embeddings"],
    "40 a pattern that hangs": LORA["regular expression that hangs"],
    "40 a pattern that takes long to refuse": LORA["pattern that takes long to refuse"],
    "41 an absurd rank": LORA["r absurd"],
}


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture(scope="module")
def bottleneck(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(backbone, tmp_path_factory.mktemp("good") / "pos")


@pytest.fixture(scope="module")
def lora(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    head = HeadConfig("tagging", ("A", "B"))
    config = low_rank(backbone, rank=3)
    made = new_adapter("pos", config, backbone=backbone.facts, kind="task", head=head)
    return save_adapter(made, tmp_path_factory.mktemp("good") / "lora")


@pytest.fixture
def scratch(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Where folders are spoilt, out of sight of the test's own folder; and where a pickle would leave its mark."""
    place = tmp_path_factory.mktemp("scratch")
    monkeypatch.chdir(place)
    yield place
    assert not (place / "evil-was-here").exists()


def pulled(hub: LocalHub, tmp_path: Path, folder: Path, culprit: str) -> None:
    hub.plant(NAME, folder, only=True)
    with refused(hub, tmp_path, re.escape(culprit), kind=FolderError, kept=True):
        ak.pull(NAME, tmp_path / "out")
    served = {entry["path"].split("/")[-1] for entry in hub.log() if "/resolve/" in entry["path"]}
    assert {path.name for path in folder.iterdir()} >= served > set()


@pytest.mark.long
@pytest.mark.parametrize("name", BOTTLENECKS)
def test_26_to_42_hostile_bottlenecks(
    local: LocalHub, tmp_path: Path, scratch: Path, bottleneck: Path, name: str
) -> None:
    edit, culprit = BOTTLENECKS[name]
    folder = copy_of(bottleneck, scratch / "pos")
    edit(folder)
    pulled(local, tmp_path, folder, culprit)


@pytest.mark.parametrize("name", LORAS)
def test_29_to_41_hostile_loras(
    local: LocalHub, tmp_path: Path, scratch: Path, lora: Path, name: str
) -> None:
    edit, culprit = LORAS[name]
    folder = copy_of(lora, scratch / "pos")
    edit(folder)
    pulled(local, tmp_path, folder, culprit)


def test_29_what_is_refused_when_pulled_is_refused_when_loaded(
    local: LocalHub, scratch: Path, bottleneck: Path
) -> None:
    edit, culprit = BOTTLENECKS["29 smuggled embeddings"]
    folder = copy_of(bottleneck, scratch / "pos")
    edit(folder)
    local.plant(NAME, folder, only=True)
    for _ in range(2):  # from the Hub, then from the cache
        with pytest.raises(FolderError, match=re.escape(culprit)):
            ak.load_adapter(NAME)


def test_39_a_class_to_import_is_not_imported(
    local: LocalHub, tmp_path: Path, scratch: Path, lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch / "evil_library.py").write_text("import os\nos.mkdir('evil-was-here')\n")
    monkeypatch.syspath_prepend(scratch)
    folder = copy_of(lora, scratch / "pos")
    says(auto_mapping={"base_model_class": "Evil", "parent_library": "evil_library"})(folder)
    local.plant(NAME, folder, only=True)
    ak.pull(NAME, tmp_path / "out")  # plain PEFT writes such a key as well; it has no meaning here
    assert b"evil_library" in (tmp_path / "out/adapter_config.json").read_bytes()


def test_37_a_base_elsewhere_is_neither_fetched_nor_fitted(
    local: LocalHub, tmp_path: Path, scratch: Path, lora: Path, backbone: Backbone
) -> None:
    folder = copy_of(lora, scratch / "pos")
    says(base_model_name_or_path="evil/base")(folder)
    local.plant("evil/base", {"config.json": b"{}"})
    local.plant(NAME, folder, only=True)
    ak.pull(NAME, tmp_path / "out")
    adapter = ak.load_adapter(tmp_path / "out")
    hub_backbone = backbone.facts.__class__("lab/other", "cd" * 32, "xlm-roberta", 32, 3)
    with pytest.raises(AdapterMismatch, match="evil/base"):
        adapter.check_fits(hub_backbone)
    assert not [entry for entry in local.log() if "evil/base" in entry["path"]]


def test_38_code_in_a_backbones_repository_is_not_even_fetched(
    local: LocalHub, tmp_path: Path, scratch: Path
) -> None:
    folder = make_backbone(scratch / "b", "xlm-roberta")
    (folder / "evil.py").write_text("import os\nos.mkdir('evil-was-here')\n")
    config = read_json(folder / "config.json")
    config["auto_map"] = {name: "evil.Evil" for name in ("AutoConfig", "AutoModelForMaskedLM")}
    write_json(folder / "config.json", config)
    local.plant("evil/base", folder)
    assert load_backbone("evil/base").layers == 3
    paths = [entry["path"] for entry in local.log()]
    assert [path for path in paths if path.endswith("config.json")]
    assert not [path for path in paths if path.endswith(".py")]


CARDS = {
    "43 a tag": b"---\nlicense: !!python/object/apply:os.mkdir ['evil-was-here']\n---\n",
    "43 a bomb": b"---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n",
    "43 a key twice": b"---\nlicense: mit\nlicense: other\n---\n",
    "43 no, which is a language": b"---\nlanguage: no\n---\n",
    "44 a template": b"{{ ''.__class__.__mro__[1].__subclasses__() }}{% raise %}",
}


@pytest.mark.long
@pytest.mark.parametrize("name", CARDS)
def test_43_and_44_a_card_is_text_and_nothing_else(
    local: LocalHub, tmp_path: Path, scratch: Path, name: str
) -> None:
    local.plant(NAME, {**small_adapter(), "README.md": CARDS[name]})
    ak.pull(NAME, tmp_path / "out")
    assert (tmp_path / "out/README.md").read_bytes() == CARDS[name]
    pins = ak.lock([NAME], path=tmp_path / "adapterkit.lock")
    assert pins[0].license in ("", "other")  # what the Hub made of it, if that is a text


UP = "../../../../../.."
NAMES = {
    "climbs": f"{UP}/escaped.json",
    "climbs inside": f"a/{UP}/../escaped.json",
    "here": "./x.json",
    "absolute": "TMP/escaped.json",
    "nothing": "a//x.json",
    "backslash": "..\\..\\escaped.json",
    "drive": "c:x.json",
    "NUL sign": "a\0.json",
    "line": "a\n.json",
    "terminal": "a\x1b[2J.json",
    "300 letters": f"{'n' * 300}.json",
    "300 letters of a folder": f"{'n' * 300}/x.json",
    "device": "CON.json",
    "device in a folder": "aux/x.json",
    "space at the end": "a /x.json",
    "dot at the end": "a./x.json",
    "deep": "a/b/c/d/x.json",
}


@pytest.mark.parametrize("name", NAMES)
def test_45_file_names_that_lead_elsewhere(local: LocalHub, tmp_path: Path, name: str) -> None:
    hostile = NAMES[name].replace("TMP", str(tmp_path))
    local.plant(NAME, {**small_adapter(), hostile: b"{}"})
    with refused(local, tmp_path, "its files cannot be written here"):
        ak.pull(NAME, tmp_path / "out")
    assert [entry["status"] for entry in local.log()] == [200]  # listed, and nothing asked for


@pytest.mark.parametrize(
    "twins",
    [
        ("a.json", "A.json"),
        ("caf\u00e9.json", "cafe\u0301.json"),
        ("stra\u00dfe.json", "STRASSE.json"),
        ("d/x.json", "D/x.json"),
    ],
)
def test_45_file_names_that_are_one_on_some_systems(
    local: LocalHub, tmp_path: Path, twins: tuple[str, str]
) -> None:
    local.plant(NAME, {**small_adapter(), **dict.fromkeys(twins, b"{}")})
    with refused(local, tmp_path, "the same file as"):
        ak.pull(NAME, tmp_path / "out")


def test_45_what_no_adapter_is_made_of_is_not_fetched(local: LocalHub, tmp_path: Path) -> None:
    more = {name: b"import os" for name in ("run.py", "CON", f"{UP}/escaped", "x.pt", "a.jinja")}
    hidden = (".x.json", ".cache/x.json", "a/.ipynb_checkpoints/adapter_config-checkpoint.json")
    more |= dict.fromkeys(hidden, b"{}")
    local.plant(NAME, {**small_adapter(), **more, "model.bin": b"x"})
    ak.pull(NAME, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {*small_adapter(), "pulled.json"}


def test_46_a_folder_of_the_same_name_is_not_what_is_pulled(
    local: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.plant(NAME, small_adapter())
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir(parents=True)
    for name, data in small_adapter(seed=2).items():
        (Path(NAME) / name).write_bytes(data)
    ak.pull(NAME, "out")
    assert Path("out", WEIGHTS).read_bytes() == small_adapter()[WEIGHTS]


def _tamper(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def _swap(path: Path) -> None:
    other = path.parent.parent.parent / "other"
    path.rename(other)
    path.symlink_to(other)


def _add(path: Path) -> None:
    (path.parent / "head_config.json").write_text("{}")


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        (_tamper, f"{WEIGHTS}: altered"),
        (_swap, f"{WEIGHTS}: a link"),
        (_add, "head_config.json: does not belong to it"),
        (Path.unlink, f"{WEIGHTS}: missing"),
    ],
)
@pytest.mark.parametrize("pinned", [True, False])
def test_a_cache_that_was_altered(
    local: LocalHub, tmp_path: Path, change: Any, culprit: str, pinned: bool
) -> None:
    local.plant(NAME, small_adapter())
    done = ak.pull(NAME)
    change(done.out / WEIGHTS)
    with pytest.raises(HubError, match=culprit):
        ak.load_adapter(NAME, revision=done.commit if pinned else None)


def test_a_lock_that_was_edited(local: LocalHub, tmp_path: Path) -> None:
    local.plant(NAME, small_adapter())
    path = tmp_path / "adapterkit.lock"
    pin = ak.lock([NAME], path=path)[0]
    good = path.read_text()
    sha256 = pin.files[WEIGHTS]["sha256"]
    path.write_text(good.replace(sha256, "0" * 64))
    with pytest.raises(HubError, match=f"{WEIGHTS}: another one than the one that was locked"):
        ak.sync(path, out=tmp_path / "adapters")
    assert not (tmp_path / "adapters").exists()
    for old, new, culprit in [
        (pin.commit, "main", "commit must be 40"),
        ('name = "cym"', 'name = "../cym"', "name must be"),
        (f'"{WEIGHTS}" =', f'"../{WEIGHTS}" =', "leads out of the folder"),
        ("version = 1", "version = 2", "version"),
        ("[[adapter]]", "[[script]]", "'script': unknown"),
        ('locked = "', 'run = "', "'run' is unknown"),
        (sha256, sha256[1:], "must have a size and a sha256"),
        ("[[adapter]]", "[[adapter", "not readable as TOML"),
    ]:
        assert old in good
        path.write_text(good.replace(old, new))
        with pytest.raises(FolderError, match=re.escape(culprit)):
            ak.sync(path, out=tmp_path / "adapters")
