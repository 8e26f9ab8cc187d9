"""The page of the attacks says what the tests do."""

import ast
from pathlib import Path

import pytest

from tests.hub.attacks import CASES, CONTENT, MORE, PAGE, page
from tests.hub.test_attacks_content import BOTTLENECKS, LORAS

TESTS = Path(__file__).parent.parent
ALL = [case[3] for case in CASES] + [case[2] for case in MORE]


def test_all_46_attacks_are_on_the_page_and_have_tests() -> None:
    assert [number for number, *_ in CASES] == list(range(1, 47))
    assert all(ALL)
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.hub.attacks"


@pytest.mark.long
def test_the_tests_on_the_page_are_there() -> None:
    ids = {f"{number} ..." for number in range(26, 43)} | set(LORAS)
    for test in {test for tests in ALL for test in tests}:
        file, _, name = test.partition("::")
        function, _, case = name.rstrip("]").partition("[")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert function in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, test
        assert not case or case in ids, test
        if case.endswith(" ..."):
            assert file == CONTENT
            assert any(name.startswith(case.removesuffix("...")) for name in BOTTLENECKS), test
