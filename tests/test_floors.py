"""The house: imports go down the floors only, and each third-party library has one door."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "adapterkit"
FLOORS = (
    ("errors", "languages", "licences", "seeds", "files", "version"),
    (
        "config",
        "settings",
        "metrics",
        "counting",
        "resampling",
        "hub",
        "naming",
        "templating",
        "header",
        "pickled",
        "tensorfile",
        "table",
        "waiting",
        "allocator",
    ),
    ("text", "nn"),
    ("data", "backbone", "composition"),
    ("hooking", "fitting", "merging"),
    ("methods", "generation", "passes"),
    ("model", "formats"),
    ("tasks", "bridge"),
    ("evaluation", "prediction", "sources", "pages", "cards", "stacks"),
    ("training", "pool", "publishing", "pulling", "searching"),
    ("demo", "experiments"),
    ("cli",),
    ("__init__", "__main__"),
)
# Inside a floor a few rooms stand on others; each says why.
STEPS = {
    ("languages", "errors"),  # wrong codes are errors
    ("licences", "errors"),  # unknown licences are errors
    ("files", "errors"),  # unreadable files are errors
    ("settings", "config"),  # a method must be one that has a shape
    ("metrics", "counting"),  # a score is of counts
    ("resampling", "counting"),  # a resample is scored by its counts
    ("resampling", "metrics"),  # and has an interval
    ("tensorfile", "files"),
    ("tensorfile", "pickled"),  # digests of old files too
    ("tensorfile", "header"),  # digests and loading read the header first
    ("composition", "backbone"),  # a backbone may be allowed by any name it is known under
    ("evaluation", "prediction"),  # scores are of predictions
    ("__main__", "__init__"),
}
DOORS = {
    "transformers": {"backbone/load.py"},
    "safetensors": {"tensorfile.py"},
    "huggingface_hub": {
        f"hub/{name}.py" for name in ("fetching", "web", "store", "upload", "catalogue")
    },
    "datasets": {"data/datasets_door.py"},
    "seqeval": {"counting.py"},
    "icu4py": {"text/words.py"},
    "jinja2": {"templating.py"},
    "resvg_py": {"pages/pictures.py"},
    "pyarrow": {"table.py"},
    "peft": set(),
    "accelerate": set(),
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(f"{node.module}")
            if node.module == "adapterkit":
                found |= {f"adapterkit.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    here = room(path)
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "adapterkit" or len(parts) == 1:
            continue
        there = parts[1]
        assert there == here or floor(there) < floor(here) or (here, there) in STEPS, (
            f"{here} imports {there}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_library_has_one_door(path: Path) -> None:
    here = str(path.relative_to(ROOT))
    for module in imports(path):
        library = module.split(".")[0]
        assert library not in DOORS or here in DOORS[library] or _only_for_types(path, library), (
            f"{here} imports {library}"
        )


def _only_for_types(path: Path, library: str) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    ]
    inside = {id(n) for g in guarded for n in ast.walk(g)}
    named = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom) and library in ast.unparse(n)
    ]
    return all(id(n) in inside for n in named)


def test_every_room_stands_on_a_floor() -> None:
    rooms = {room(path) for path in FILES}
    known = {name for names in FLOORS for name in names}
    assert rooms <= known, rooms - known


@pytest.mark.parametrize(
    "module",
    [
        "adapterkit",
        "adapterkit.cli.app",
        "adapterkit.text.lines",
        "adapterkit.formats.inspection",
        "adapterkit.table",
        "adapterkit.cards.rendering",
    ],
)
def test_light_rooms_do_not_load_torch(module: str) -> None:
    import subprocess
    import sys

    code = (
        f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420
