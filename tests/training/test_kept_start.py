"""Part of the adapter that a training starts from stays: by default of another language's, as `merge` would do it."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError
from adapterkit.merging import merge
from adapterkit.settings import LanguageConfig, TaskConfig, as_record, from_record
from adapterkit.training.kept_start import KEPT
from adapterkit.training.language import train_language
from tests.tiny import lines
from tests.training.stopping import stopped_before

CONFIG = LanguageConfig(
    steps=8,
    batch_size=4,
    block_length=24,
    evaluate_every=4,
    heldout_blocks=4,
    learning_rate=1e-2,
    precision="float32",
)
WHOLE = replace(CONFIG, keep_start=0)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def corpus(code: str) -> Corpus:
    return Corpus.from_lines(lines(150, seed=len(code) + ord(code[0])), language=code)


@pytest.fixture(scope="module")
def english(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    out = tmp_path_factory.mktemp("start") / "eng"
    return train_language(backbone, corpus("eng"), out=out, config=CONFIG)


def assert_sum(found: Adapter, whole: Adapter, start: Adapter, share: float) -> None:
    wanted = merge([whole, start], [1 - share, share]).tensors()
    assert found.tensors().keys() == {k.replace("merged", found.name) for k in wanted}
    for (_, a), (_, b) in zip(sorted(found.tensors().items()), sorted(wanted.items()), strict=True):
        assert torch.allclose(a, b, atol=1e-6, rtol=0)


@pytest.mark.long
def test_by_default_part_of_another_languages_adapter_stays(
    backbone: Backbone, english: Adapter, tmp_path: Path
) -> None:
    whole = train_language(
        backbone, corpus("cym"), out=tmp_path / "w", config=WHOLE, init=english, name="cym"
    )
    found = train_language(
        backbone, corpus("cym"), out=tmp_path / "f", config=CONFIG, init=english, name="cym"
    )
    assert_sum(found, whole, english, KEPT)
    assert found.provenance["config"]["keep_start"] == KEPT == 0.4
    losses = found.provenance["heldout_loss"]
    assert losses["adapter"] > whole.provenance["heldout_loss"]["adapter"] - 0.05
    assert losses["adapter"] != whole.provenance["heldout_loss"]["adapter"]


@pytest.mark.long
def test_nothing_stays_of_ones_own_of_random_weights_and_under_a_domain(
    backbone: Backbone, english: Adapter, tmp_path: Path
) -> None:
    more = train_language(backbone, corpus("eng"), out=tmp_path / "e", config=CONFIG, init=english)
    scratch = train_language(backbone, corpus("cym"), out=tmp_path / "s", config=CONFIG)
    domain = train_language(
        backbone, corpus("cym"), out=tmp_path / "d", config=CONFIG, init=english, over=english
    )
    assert not any("keep_start" in one.provenance["config"] for one in (more, scratch, domain))
    assert english.provenance["config"] == scratch.provenance["config"]


def test_nothing_stays_unasked_of_a_start_in_an_unknown_language(
    backbone: Backbone, english: Adapter, tmp_path: Path
) -> None:
    unknown = copy.copy(english)
    unknown.language = ""
    found = train_language(backbone, corpus("cym"), out=tmp_path, config=CONFIG, init=unknown)
    assert "keep_start" not in found.provenance["config"]


def test_a_share_of_nothing_is_refused(backbone: Backbone, tmp_path: Path) -> None:
    config = replace(CONFIG, keep_start=0.4)
    with pytest.raises(ConfigError, match=r"keep_start = 0\.4: there is no adapter"):
        train_language(backbone, corpus("cym"), out=tmp_path / "x", config=config)
    assert not (tmp_path / "x").exists()


@pytest.mark.long
def test_a_share_of_a_lora_is_refused_and_none_is_kept_unasked(
    backbone: Backbone, tmp_path: Path
) -> None:
    config = replace(CONFIG, method="lora", rank=2)
    lora = train_language(backbone, corpus("eng"), out=tmp_path / "l", config=config)
    with pytest.raises(ConfigError, match="bottleneck adapters only"):
        train_language(
            backbone, corpus("cym"), out=tmp_path / "x", config=replace(config, keep_start=0.4), init=lora,
        )  # fmt: skip
    more = train_language(backbone, corpus("cym"), out=tmp_path / "y", config=config, init=lora)
    assert "keep_start" not in more.provenance["config"]


def test_all_of_the_start_is_the_start_and_its_loss_is_the_starts(
    backbone: Backbone, english: Adapter, tmp_path: Path
) -> None:
    config = replace(CONFIG, keep_start=1)
    found = train_language(backbone, corpus("cym"), out=tmp_path / "f", config=config, init=english)
    assert_sum(found, english, english, 1.0)
    first = found.provenance["run"]["looks"][0]
    assert first[0] == 0
    assert found.provenance["heldout_loss"]["adapter"] == pytest.approx(first[1], abs=1e-4)


def test_rows_shrink_where_the_start_has_none(
    backbone: Backbone, english: Adapter, tmp_path: Path
) -> None:
    rows = {"embedding_rows": True, "embedding_rows_at_least": 1}
    made = [
        train_language(
            backbone,
            corpus("cym"),
            out=tmp_path / str(share),
            config=replace(CONFIG, **rows, keep_start=share),  # type: ignore[arg-type]
            init=english,
        ).embedding_rows
        for share in (0, 0.25)
    ]
    whole, part = (rows.table().deltas for rows in made if rows is not None)
    assert whole.abs().max() > 0
    assert torch.allclose(part, 0.75 * whole, atol=1e-7)


@pytest.mark.long
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    backbone: Backbone, english: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(name: str, config: LanguageConfig = CONFIG) -> Adapter:
        return train_language(
            backbone, corpus("cym"), out=tmp_path / name, config=config, init=english, name="cym"
        )

    whole = trained("whole")
    with stopped_before(6, monkeypatch):
        trained("cut")
    with pytest.raises(ConfigError, match="keep_start"):
        trained("cut", WHOLE)
    assert trained("cut").digest() == whole.digest()


def test_a_share_is_between_nothing_and_all() -> None:
    with pytest.raises(ConfigError, match=r"keep_start = 1\.5: must be between 0 and 1"):
        LanguageConfig(keep_start=1.5)


def test_records_without_what_came_later_mean_what_they_meant() -> None:
    for config in (CONFIG, WHOLE, replace(CONFIG, keep_start=0.4)):
        assert from_record(LanguageConfig, as_record(config)) == config
    assert "keep_start" not in as_record(WHOLE)
    assert from_record(TaskConfig, {"seed": 3}) == TaskConfig(seed=3)
