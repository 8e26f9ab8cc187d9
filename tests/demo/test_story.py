from pathlib import Path

import pytest

from adapterkit.cli import demo
from adapterkit.demo import story


@pytest.mark.slow
def test_the_demo_runs_and_leaves_adapters_a_table_and_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "STEPS", 3)
    monkeypatch.setattr(story, "LINES", 1500)
    monkeypatch.setattr(story, "TEST", 20)
    said: list[str] = []
    found = story.run(tmp_path, tell=said.append, progress=False)
    table = found.as_dict()["targets"]
    assert set(table) == {"epo", "hat"}
    for row in table.values():
        assert set(row) == {"own", "source", "none"}
        assert all(0 <= cell["accuracy"] <= 1 for cell in row.values())
    assert all((folder / "adapter.safetensors").is_file() for folder in found.folders)
    assert found.page is not None
    assert "Learning curves" in found.page.read_text(encoding="utf-8")
    assert len(said) >= 3


@pytest.mark.parametrize(
    ("called", "found", "said"),
    [
        (".venv/bin/adapterkit", None, ".venv/bin/adapterkit"),
        (".venv/bin/adapterkit", "/usr/bin/adapterkit", "adapterkit"),
        ("/x/adapterkit/__main__.py", None, "adapterkit"),
    ],
)
def test_the_commands_to_try_begin_as_the_program_was_called_where_it_is_not_on_the_path(
    monkeypatch: pytest.MonkeyPatch, called: str, found: str | None, said: str
) -> None:
    monkeypatch.setattr("sys.argv", [called, "demo"])
    monkeypatch.setattr("shutil.which", lambda _: found)
    assert demo._program() == said
