"""The installed wheel, away from the checkout: the demo's parts are there and a stack predicts."""

from pathlib import Path

import adapterkit as ak
from adapterkit.cards.rendering import templates

assert "site-packages" in str(Path(ak.__file__)), ak.__file__
backbone = ak.load_backbone("mini")
stack = ak.Stack(ak.load_adapter("mini:eng"), ak.load_adapter("mini:pos"))
(found,) = ak.predict(ak.AdaptedModel(backbone, stack), ["The cat sleeps ."])
assert found.labels[1] == "NOUN", found
assert (templates() / "parts" / "end.md").is_file()
assert "site-packages" in str(templates()), templates()
assert not [path for path in Path(ak.__file__).parent.rglob(".training")]
print(f"the wheel works: {found.tokens} {found.labels}")  # noqa: T201
