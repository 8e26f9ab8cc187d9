"""Publishing through the unmodified client: cut at every request, raced, and fetched on a second machine."""

import json
import re
from pathlib import Path

import pytest

from adapterkit.backbone.load import Backbone, load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
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

folder, kind, step = sys.argv[2], sys.argv[3], 0
opener = build_opener(ProxyHandler({}))

def ask(method, path, value=None):
    data = None if value is None else json.dumps(value).encode()
    address = os.environ["HF_ENDPOINT"] + path
    return json.loads(opener.open(Request(address, data, method=method), timeout=20).read())

def publish(name):
    return push(folder, name, license="cc-by-4.0", base_model="alice/tiny")

hit, errors = True, 0
while hit and step < 60:
    name = f"alice/cut-{step}"
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
print(json.dumps({"requests": step - 1, "errors": errors}))
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
    words = ["push", str(folder), repository, "--license", "cc-by-4.0", "--json", *more]
    code = f"import sys\nsys.argv = {['adapterkit', *words]!r}\nfrom adapterkit.cli.app import main\nmain()"
    done = run_client(code, hub.environment(home), folder=folder.parent)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("kind", ["drop", "lost"])
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_cut_at_every_request_nothing_partial_is_public_and_a_repetition_ends_well(
    new_hub: LocalHub, folders: dict[str, Path], tmp_path: Path, kind: str, xet: bool
) -> None:
    environment = new_hub.environment(tmp_path / "home", xet=xet)
    done = run_client(client(CUT, str(folders["cym"]), kind), environment, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
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


def test_a_published_stack_gives_the_same_output_on_another_machine(
    hub: LocalHub, backbone: Backbone, tiny_folder: Path, folders: dict[str, Path], tmp_path: Path
) -> None:
    hub.plant("alice/tiny", tiny_folder, lfs=("model.safetensors",))
    home = tmp_path / "home"
    base = ("--base-model", "alice/tiny")
    made = publish(hub, home, folders["cym"], "alice/tiny-cym", *base)
    publish(hub, home, folders["pos"], "alice/tiny-pos", *base, "--language", "cy")
    here = predict(
        AdaptedModel(backbone, Stack(*(load_adapter(folders[name]) for name in ("cym", "pos")))),
        TEXTS,
    )
    stranger = hub.environment(tmp_path / "elsewhere", token="")
    done = run_client(client(PREDICT, json.dumps(TEXTS)), stranger, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert there == [[list(one.labels), [round(s, 6) for s in one.scores]] for one in here]
    record = hub.ask("GET", "/alice/tiny-pos/resolve/main/adapterkit.json")
    assert record["provenance"]["over"][0]["repository"] == "alice/tiny-cym"
    assert record["provenance"]["over"][0]["commit"] == made["commit"]


@pytest.mark.parametrize("name", ["cym", "pos"])
def test_the_snippet_of_a_card_runs_as_it_stands(
    hub: LocalHub, tiny_folder: Path, folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    hub.plant("alice/tiny", tiny_folder, lfs=("model.safetensors",))
    base = ("--base-model", "alice/tiny", "--language", "cym")
    for one in ("cym", "pos"):
        publish(hub, tmp_path / "home", folders[one], f"alice/tiny-{one}", *base)
    card = publish(hub, tmp_path / "home", folders[name], f"alice/tiny-{name}", *base, "--dry-run")[
        "texts"
    ]["README.md"]
    snippet = re.findall(r"```python\n(.*?)```", card, re.S)[0]
    assert re.search(r'revision="(v1|[0-9a-f]{40})"', snippet)
    done = run_client(snippet, hub.environment(tmp_path / "other", token=""), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
