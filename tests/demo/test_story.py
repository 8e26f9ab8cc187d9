from pathlib import Path

import pytest

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
