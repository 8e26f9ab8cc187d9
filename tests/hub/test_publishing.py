"""Publishing through the unmodified client: cut at every request, raced, and fetched on a second machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.writing import PredictedText
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.model import AdaptedModel
from adapterkit.prediction import predict
from tests.hub.hub import LocalHub, run_client

pytestmark = pytest.mark.slow
TEXTS = ["the cat sleeps .", "a dog"]

CUT = """
import json, os, shutil, sys
from urllib.request import ProxyHandler, Request, build_opener
from adapterkit.errors import HubError
from adapterkit.publishing.push import OURS, push

folder, told = sys.argv[2], {}
opener = build_opener(ProxyHandler({}))

def ask(method, path, value=None):
    data = None if value is None else json.dumps(value).encode()
    address = os.environ["HF_ENDPOINT"] + path
    return json.loads(opener.open(Request(address, data, method=method), timeout=20).read())

def publish(name):
    return push(folder, name, license="cc-by-4.0", base_model="alice/tiny")

for kind in ("drop", "lost"):
    hit, errors, step = True, 0, 0
    while hit and step < 60:
        name = f"alice/{kind}-{step}"
        ask("DELETE", "/-/log")
        shutil.rmtree(os.environ["HF_HOME"] + "/xet", ignore_errors=True)  # else nothing is uploaded twice
        ask("POST", "/-/faults", [{"path": "", "do": {kind: True}, "after": step, "times": 1}])
        try:
            publish(name)
        except HubError:
            errors += 1
        hit = any(entry["faults"] for entry in ask("GET", "/-/log"))
        ask("POST", "/-/faults", [])
        made = publish(name)
        there = ask("GET", f"/-/show?id={name}")
        assert there["tags"] == {"v1": made.commit}, there
        assert there["branches"]["main"] == made.commit, there
        for commit in there["commits"].values():
            ours = set(commit) & OURS
            assert not ours or len(ours) == 4, commit
        step += 1
    told[kind] = {"requests": step - 1, "errors": errors}
print(json.dumps(told))
"""

RACE = """
import sys
from adapterkit.errors import HubError
from adapterkit.publishing.push import push
try:
    print(push(sys.argv[2], "alice/race", license="mit", base_model="alice/tiny").commit)
except HubError as error:
    print("HubError", error)
"""

PREDICT = """
import json, sys
import adapterkit as ak
backbone = ak.load_backbone("alice/tiny")
stack = ak.Stack(ak.load_adapter("alice/tiny-cym", revision="v1"), ak.load_adapter("alice/tiny-pos"))
found = ak.predict(ak.AdaptedModel(backbone, stack), json.loads(sys.argv[2]))
print(json.dumps([[list(one.labels), [round(s, 6) for s in one.scores]] for one in found]))
"""

LOAD_STACK = """
import json, sys
import adapterkit as ak
found = ak.predict(ak.load_stack("alice/cym-pos", revision="v1"), json.loads(sys.argv[2]))
print(json.dumps([[list(one.labels), [round(s, 6) for s in one.scores]] for one in found]))
"""


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.fixture(scope="module")
def folders(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("adapters")
    shape = BottleneckConfig(2, invertible=True, leave_out=(2,))
    facts = backbone.facts
    welsh = new_adapter("cym", shape, backbone=facts, kind="language", language="cym", seed=3)
    head = HeadConfig("tagging", ("ADJ", "NOUN", "VERB"))
    pos = new_adapter("pos", BottleneckConfig(4), backbone=facts, kind="task", head=head, seed=4)
    pos.provenance = {"task": "upos", "over": [{"name": "cym", "digest": welsh.digest()}]}
    return {one.name: save_adapter(one, place / one.name) for one in (welsh, pos)}


def client(code: str, *words: str) -> str:
    """``code`` with words behind it where a program has its arguments."""
    return f"import sys\nsys.argv = {['', '', *words]!r}\n{code}"


def publish(hub: LocalHub, home: Path, folder: Path, repository: str, *more: str) -> dict:  # type: ignore[type-arg]
    words = ["push", str(folder), repository, "--license", "cc-by-4.0", *more]
    return command(hub, home, *words)


def text_of(hub: LocalHub, repository: str, name: str) -> str:
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{hub.url}/{repository}/resolve/main/{name}") as answer:
        return str(answer.read().decode())


def command(hub: LocalHub, home: Path, *words: str) -> dict:  # type: ignore[type-arg]
    code = f"import sys\nsys.argv = {['adapterkit', *words, '--json']!r}\nfrom adapterkit.cli.app import main\nmain()"
    done = run_client(code, hub.environment(home), folder=home.parent)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def shown(found: list[PredictedText]) -> list[list[list[object]]]:
    return [[list(one.labels), [round(score, 6) for score in one.scores]] for one in found]


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_cut_at_every_request_nothing_partial_is_public_and_a_repetition_ends_well(
    new_hub: LocalHub, folders: dict[str, Path], tmp_path: Path, xet: bool
) -> None:
    environment = new_hub.environment(tmp_path / "home", xet=xet)
    done = run_client(client(CUT, str(folders["cym"])), environment, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    for told in json.loads(done.stdout).values():
        assert told["requests"] >= 11
        assert told["errors"] >= 3


def test_of_two_processes_at_once_one_wins_and_the_other_is_told(
    hub: LocalHub, folders: dict[str, Path], tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path / "home", xet=False)
    first = run_client(client(RACE, str(folders["cym"])), environment, folder=tmp_path)
    assert re.fullmatch(r"[0-9a-f]{40}\n", first.stdout), first.stderr
    # Somebody else commits after this one has looked and before it commits.
    code = RACE.replace(
        "try:",
        "import json, os, urllib.request, adapterkit.publishing.push as p\n"
        "true = p.commit\n"
        "def late(*a, **k):\n"
        "    body = json.dumps({'id': 'alice/race', 'files': {'x.json': 'e30='}}).encode()\n"
        "    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))\n"
        "    opener.open(urllib.request.Request(os.environ['HF_ENDPOINT'] + '/-/plant', body))\n"
        "    return true(*a, **k)\n"
        "p.commit = late\n"
        "try:",
    )
    second = run_client(
        client(code, str(folders["pos"])).replace('"mit",', '"mit", language="cy",'),
        environment,
        folder=tmp_path,
    )
    assert "HubError" in second.stdout, second.stderr
    assert "somebody else has changed it meanwhile" in second.stdout
    assert hub.show("alice/race")["tags"] == {"v1": first.stdout.strip()}


@pytest.fixture(scope="module")
def shelf(
    tiny_folder: Path, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalHub, Path]]:
    """A Hub with a backbone, two adapters and a stack of them; and the stack's folder."""
    place = tmp_path_factory.mktemp("shelf")
    hub, home, out = LocalHub(place / "hub"), place / "home", place / "stack"
    hub.plant("alice/tiny", tiny_folder, lfs=("model.safetensors",))
    for name in ("cym", "pos"):
        base = ("--base-model", "alice/tiny", "--language", "cym")
        publish(hub, home, folders[name], f"alice/tiny-{name}", *base)
    parts = ("stack", "alice/tiny-cym,alice/tiny-pos", "--backbone", "alice/tiny")
    command(hub, home, *parts, "--out", str(out))
    made = publish(hub, home, out, "alice/cym-pos")
    assert set(made["files"]) == {"README.md", "stack.json"}
    yield hub, out
    hub.stop()


@pytest.mark.parametrize("program", [PREDICT, LOAD_STACK], ids=["adapters", "stack"])
def test_a_published_stack_gives_the_same_output_on_another_machine(
    shelf: tuple[LocalHub, Path],
    backbone: Backbone,
    folders: dict[str, Path],
    tmp_path: Path,
    program: str,
) -> None:
    stack = Stack(*(load_adapter(folders[name]) for name in ("cym", "pos")))
    here = predict(AdaptedModel(backbone, stack), TEXTS)
    stranger = shelf[0].environment(tmp_path / "elsewhere", token="")
    done = run_client(client(program, json.dumps(TEXTS)), stranger, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == shown(here)


def test_a_task_adapter_says_where_its_source_is_published(shelf: tuple[LocalHub, Path]) -> None:
    hub, _ = shelf
    record = json.loads(text_of(hub, "alice/tiny-pos", "adapterkit.json"))
    (over,) = record["provenance"]["over"]
    assert over["repository"] == "alice/tiny-cym"
    assert over["commit"] == hub.show("alice/tiny-cym")["tags"]["v1"]


def test_the_snippets_of_the_cards_run_as_they_stand(
    shelf: tuple[LocalHub, Path], tmp_path: Path
) -> None:
    names = ("tiny-cym", "tiny-pos", "cym-pos")
    cards = [text_of(shelf[0], f"alice/{name}", "README.md") for name in names]
    snippets = [one for card in cards for one in re.findall(r"```python\n(.*?)```", card, re.S)]
    assert len(snippets) == 3
    assert all(re.search(r'revision="(v1|[0-9a-f]{40})"', one) for one in snippets)
    stranger = shelf[0].environment(tmp_path / "other", token="")
    done = run_client("\n".join(snippets), stranger, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


REFUSED = """
import json, sys
import adapterkit as ak
for folder in json.loads(sys.argv[2]):
    try:
        ak.load_stack(folder)
    except ak.FolderError as error:
        print(" ".join(str(error).split()))
"""


def test_a_stack_whose_parts_are_not_what_it_pins_is_refused(
    shelf: tuple[LocalHub, Path], backbone: Backbone, folders: dict[str, Path], tmp_path: Path
) -> None:
    hub, out = shelf
    text = (out / "stack.json").read_text()
    changes = {
        "its weights are not those that the stack pins": load_adapter(folders["pos"]).digest(),
        "its backbone 'alice/tiny' is not what it pins": backbone.facts.digest,
        "adapter_config.json: altered": re.findall(r'"adapter_config.json": "(.*?)"', text)[0],
    }
    places = []
    for number, old in enumerate(changes.values()):
        places.append(tmp_path / f"stack-{number}")
        places[-1].mkdir()
        (places[-1] / "stack.json").write_text(text.replace(old, "0" * 64))
    stranger = hub.environment(tmp_path / "home", token="")
    code = client(REFUSED, json.dumps([str(place) for place in places]))
    done = run_client(code, stranger, folder=tmp_path)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all(reason in line for reason, line in zip(changes, lines, strict=True)), lines


SEARCH = """
import json, os
import adapterkit as ak
old = ak.search("swh", "ner")
found = {name: [row.repository for row in ak.search(name)] for name in ("Welsh", "cy", "Cymraeg")}
first = next(row for row in ak.search("Welsh") if row.kind == "language")
same = ak.load_adapter(first.repository, revision=first.commit).digest()
print(json.dumps([found, [[row.repository, row.matches] for row in old], first.load, first.bytes, same]))
"""


def test_what_is_published_is_found_by_its_language_and_loaded_by_its_line(
    shelf: tuple[LocalHub, Path], folders: dict[str, Path], tmp_path: Path
) -> None:
    hub = shelf[0]
    name = "AdapterHub/xlm-roberta-base-sw-wiki_pfeiffer"
    card = (
        "---\ntags: [adapter-transformers, xlm-roberta, 'adapterhub:sw/wiki']\nlanguage: sw\n---\n"
    )
    hub.plant(name, {"README.md": card.encode(), "adapter_config.json": b"{}"})
    stranger = hub.environment(tmp_path / "home", token="")
    done = run_client(SEARCH, stranger, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found, old, line, size, digest = json.loads(done.stdout)
    ours = {"alice/tiny-cym", "alice/tiny-pos", "alice/cym-pos"}  # all of them in Welsh
    assert all(set(rows) == ours for rows in found.values())
    assert old == [[name, "language"]]
    assert re.fullmatch(
        r'ak\.load_(adapter|stack)\("alice/[\w-]+", revision="[0-9a-f]{40}"\)', line
    )
    assert size > 0
    assert digest in {load_adapter(folder).digest() for folder in folders.values()}
    offline = {**stranger, "HF_HUB_OFFLINE": "1"}
    command = "from adapterkit.cli.app import main; import sys; sys.argv = ['adapterkit', 'search', '--language', 'cy']; main()"
    done = run_client(command, offline, folder=tmp_path)
    assert "3 found for Welsh (cym)" in done.stdout
    assert "HF_HUB_OFFLINE" in done.stderr


SILENT = """
import json, sys, time
import adapterkit.hub.upload as upload
from adapterkit.errors import HubError
from adapterkit.publishing.push import push
upload.PATIENCE = 0.5
started, told = time.monotonic(), ""
try:
    push(sys.argv[2], "alice/silent", license="mit", base_model="alice/tiny")
except HubError as error:
    told = str(error)
waited = time.monotonic() - started
time.sleep(3)  # the Hub makes the commit after all
made = push(sys.argv[2], "alice/silent", license="mit", base_model="alice/tiny")
print(json.dumps([told, waited, made.commit]))
"""


def test_a_silent_hub_is_not_waited_for_for_ever(
    hub: LocalHub, folders: dict[str, Path], tmp_path: Path
) -> None:
    hub.fault("/commit/", {"wait": 3}, times=1)
    environment = hub.environment(tmp_path / "home", xet=False)
    done = run_client(client(SILENT, str(folders["cym"])), environment, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told, waited, commit = json.loads(done.stdout)
    assert "could not be written to" in told
    assert waited < 3
    there = hub.show("alice/silent")
    assert there["tags"] == {"v1": commit}
    assert there["branches"]["main"] == commit
