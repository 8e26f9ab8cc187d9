"""Write docs/compatibility.md from test runs: feature by direction by transformers version.

    python benchmarks/compatibility.py                     # this environment's column, into docs/compatibility.json
    python benchmarks/compatibility.py --page              # the page from what both environments found

Run it in each of the two environments; a cell is a test run that passed, the page repeats its number of tests.
"""

import argparse
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from adapterkit.files import read_json, write_bytes, write_json

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "docs" / "compatibility.json"
PAGE = ROOT / "docs" / "compatibility.md"
# Feature, direction, and the tests that show it.
ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Pfeiffer, invertible, leave_out", "read", ("tests/golden/test_golden.py",)),
    (
        "Houlsby, parallel, scaled, gates, norms, scaling, activations",
        "read",
        ("tests/golden/test_options.py", "-k", "equals"),
    ),
    (
        "the same, heads, AdapterFusion, composition folders",
        "write and read again",
        ("tests/golden/test_options.py", "-k", "byte_for_byte"),
    ),
    ("odd but valid folders, names of 1.x to 3.x", "read", ("tests/formats/test_odd.py",)),
    (
        "broken and hostile folders",
        "refuse",
        (
            "tests/formats/test_broken.py",
            "tests/formats/test_broken_peft.py",
            "tests/formats/test_compositions.py",
        ),
    ),
    (
        "LoRA and IA3 (PEFT)",
        "read, write, round trip",
        ("tests/formats/test_peft.py", "tests/formats/test_peft_exact.py"),
    ),
    ("Rows, Average, Fuse, Stack", "compute", ("tests/composition",)),
    ("decoders: Llama, Qwen3, Gemma3", "round trip", ("tests/backbone/test_decoders.py",)),
    (
        "encoder-decoders: mT5, mBART, NLLB (M2M100)",
        "round trip",
        ("tests/backbone/test_encoder_decoders.py",),
    ),
    ("live adapters models", "read, write", ("-m", "parity", "tests/parity")),
)


def main() -> None:
    """Run the tests of every row here, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="write the page only")
    if not parser.parse_args().page:
        record = read_json(RECORD) if RECORD.is_file() else {}
        column = f"transformers {'.'.join(version('transformers').split('.')[:2])}"
        record[column] = {feature: outcome(tests) for feature, _, tests in ROWS}
        write_json(RECORD, record)
    write_bytes(PAGE, page(read_json(RECORD)).encode())


def outcome(tests: tuple[str, ...]) -> str:
    """``37 tests``, ``not run`` where the environment lacks the library, or ``FAILED``."""
    if "parity" in tests:
        try:
            version("adapters")
        except ModuleNotFoundError:
            return "the library does not import there"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=--strict-markers",
        *tests,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    passed = re.search(r"(\d+) passed", done.stdout)
    return f"{passed[1]} tests" if done.returncode == 0 and passed else "FAILED"


def page(record: dict[str, dict[str, str]]) -> str:
    """The page, a column for each environment."""
    columns = sorted(record)
    lines = [
        "# Compatibility",
        "",
        "What is read, written and computed, as test runs found it (`python benchmarks/compatibility.py` in an environment",
        "of each line of transformers). Against outputs of `adapters` 1.3.0: below 1e-12 in float64 and 1e-5 in float32.",
        "",
        f"| feature | direction | {' | '.join(columns)} |",
        f"| --- | --- |{' --- |' * len(columns)}",
    ]
    for feature, direction, _ in ROWS:
        cells = " | ".join(record[column].get(feature, "not run") for column in columns)
        lines.append(f"| {feature} | {direction} | {cells} |")
    lines += [
        "",
        "Refused by name: GLOW, compacters, prefix tuning, cross-attention adapters, `original_ln_after` false, fusions with",
        "temperature, heads that read a pooler, `Split`/`BatchSplit`/`Parallel`/`MultiTask` folders (say `ak.Rows`), DoRA and other",
        "LoRA variants, initialisations of LoRA that change the backbone.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
