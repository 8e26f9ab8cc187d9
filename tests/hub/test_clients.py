"""Unmodified clients against the Hub of the tests."""

from pathlib import Path

import pytest

from adapterkit.formats.adapterhub import load_adapter
from tests.hub.clients import ADAPTERS, EVERYTHING, GATED, PEFT
from tests.hub.hub import LocalHub, run_client
from tests.tiny import make_backbone

here = pytest.mark.slow
in_the_other_environment = pytest.mark.parity


@pytest.mark.parametrize("part_size", [0, 100_000])
@pytest.mark.parametrize(
    "xet",
    [
        pytest.param(True, marks=here),
        pytest.param(False, marks=here),
        pytest.param(True, marks=in_the_other_environment, id="True-0.36"),
        pytest.param(False, marks=in_the_other_environment, id="False-0.36"),
    ],
)
def test_huggingface_hub_does_everything(
    hub: LocalHub, tmp_path: Path, xet: bool, part_size: int
) -> None:
    hub.configure({"part_size": part_size, "xet": xet})
    done = run_client(EVERYTHING, hub.environment(tmp_path / "home", xet=xet), folder=tmp_path)
    assert done.stdout == "all of it\n", done.stderr
    paths = {entry["path"].split("/")[2] for entry in hub.log() if entry["path"].startswith("/v1")}
    assert bool(paths) == xet  # it really went that way


@pytest.mark.parametrize(
    "mark", [pytest.param("2.x", marks=here), pytest.param("0.36", marks=in_the_other_environment)]
)
def test_gated_and_private_repositories_are_refused_by_name(
    hub: LocalHub, tmp_path: Path, mark: str
) -> None:
    for name in ("gated", "private"):
        hub.plant(f"alice/{name}", {"a.json": b"{}"})
        hub.change(f"alice/{name}", {name: True})
    stranger = hub.environment(tmp_path / "home", token="hf_bob")
    done = run_client(GATED, stranger, folder=tmp_path)
    assert done.stdout == "GatedRepoError\nRepositoryNotFoundError\n", done.stderr
    hub.change("alice/gated", {"granted": ["bob"]})
    done = run_client(GATED, stranger, folder=tmp_path)
    assert done.stdout == "RepositoryNotFoundError\n", done.stderr


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(PEFT, marks=here, id="peft-2.x"),
        pytest.param(PEFT, marks=in_the_other_environment, id="peft-0.36"),
        pytest.param(ADAPTERS, marks=in_the_other_environment, id="adapters"),
    ],
)
def test_libraries_publish_and_load_again_and_we_load_it_too(
    local: LocalHub, tmp_path: Path, code: str
) -> None:
    local.plant("lab/base", make_backbone(tmp_path / "base", "xlm-roberta"))
    done = run_client(code, local.environment(tmp_path / "theirs"), folder=tmp_path, timeout=240)
    assert done.stdout.endswith("the same output\n"), done.stderr
    adapter = load_adapter("alice/cym" if code is ADAPTERS else "alice/lora")
    assert adapter.backbone.name == "lab/base"
    assert len(adapter.labels) == 3
