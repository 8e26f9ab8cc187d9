"""All that computes, on a device that is not the CPU: a GPU's rule, that tensors of two devices never meet, without a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device.flows import FLOWS
from tests.device.simulated import COMPILER, build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        COMPILER is None, reason="the simulated device is compiled, and there is no g++"
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each flow, in a process of its own: torch keeps a device that it was told of."""
    library = build(tmp_path_factory.mktemp("device"))
    command = [sys.executable, "-m", "tests.device.compare", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("flow", FLOWS)
def test_it_computes_there_what_it_computes_on_the_cpu(
    found: dict[str, str | None], flow: str
) -> None:
    assert found[flow] is None, found[flow]
