"""Unmodified clients against the Hub of the tests."""

from pathlib import Path

import pytest

from tests.hub.clients import EVERYTHING, GATED
from tests.hub.hub import LocalHub, run_client

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
