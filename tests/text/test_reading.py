"""Reading raw text from files: encodings, compression, damage, very long lines."""

import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapterkit.errors import ConfigError, CorpusError
from adapterkit.text import reading
from adapterkit.text.reading import TextFiles, cut_lines, find_files


def read(path: Path, encoding: str | None = None) -> list[str]:
    files = find_files([path], encoding)
    return [line.rstrip("\n") for line in TextFiles(files, encoding)]


def problem(path: Path, encoding: str | None = None) -> str:
    with pytest.raises(CorpusError) as caught:
        read(path, encoding)
    return str(caught.value)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "A.TXT"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_utf_8_is_read_with_and_without_its_mark(
    tmp_path: Path, name: str, encoding: str, end: str
) -> None:
    path = write(tmp_path / name, f"un ŵy{end}dau".encode(encoding))
    assert read(path) == read(path, "utf-8") == ["un ŵy", "dau"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1251", "koi8-r", "cp855"])
def test_another_encoding_is_read_when_it_is_named(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "a.txt", "добрый день\nмир".encode(encoding))
    assert read(path, encoding) == ["добрый день", "мир"]


def test_a_character_across_the_end_of_the_sniffed_part_is_no_error(tmp_path: Path) -> None:
    text = "x" + "ŵ" * 50_000
    assert "".join(read(write(tmp_path / "a.txt", text.encode()))) == text


def test_json_lines_give_their_text_line_by_line(tmp_path: Path) -> None:
    rows = [{"text": "one\ntwo"}, {"text": None}, {"text": "three"}]
    path = write(tmp_path / "a.jsonl.gz", "\n\n".join(map(json.dumps, rows)).encode())
    assert read(path) == ["one", "two", "", "three"]


def test_a_folder_is_read_in_the_order_of_its_names_at_every_depth(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    write(tmp_path / "b" / "1.txt", b"second")
    write(tmp_path / "a.txt.gz", b"first")
    write(tmp_path / "c.jsonl", b'{"text": "third"}')
    write(tmp_path / "notes.pdf", b"%PDF")
    write(tmp_path / ".cache" / "x.txt", b"hidden")
    assert read(tmp_path) == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt.gz", b"", "empty"),
        ("a.csv", b"a,b", "not a kind of file"),
        ("a.txt", "un ŵy".encode("utf-16"), 'encoding="utf-16"'),
        ("a.txt", "un ŵy".encode("utf-32"), 'encoding="utf-32"'),
        ("a.txt", "un ŵy".encode("utf-16-le"), "binary"),
        ("a.txt", bytes(range(1, 32)) * 40 + b"x" * 99, "binary"),
        ("a.txt", gzip.compress(b"text", mtime=0), "name that ends in .gz"),
        ("a.txt", "ça va où".encode("cp1252"), 'encoding="cp1252"'),
    ],
)
def test_an_unusable_file_is_refused_before_its_first_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(CorpusError) as caught:
        find_files([path])
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_all_unusable_files_are_named_in_one_error(tmp_path: Path) -> None:
    good = write(tmp_path / "good.txt", b"text")
    empty = write(tmp_path / "empty.txt", b"")
    with pytest.raises(CorpusError) as caught:
        find_files([good, empty, tmp_path / "missing.txt"])
    message = str(caught.value)
    assert message.startswith("2 of 3 text files cannot be used")
    assert "empty.txt: empty" in message
    assert "missing.txt: there is no such file" in message


def test_no_files_at_all_and_a_folder_without_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no text files were given"):
        find_files([])
    with pytest.raises(CorpusError, match="holds no text"):
        find_files([tmp_path])


@pytest.mark.parametrize("encoding", ["klingon", "hex"])
def test_an_encoding_that_does_not_exist_is_a_wrong_setting(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ConfigError, match=encoding):
        find_files([write(tmp_path / "a.txt", b"text")], encoding)


def test_what_goes_wrong_far_into_a_file_is_one_error_that_names_it(tmp_path: Path) -> None:
    lines = b"a line of good text\n" * 5000
    assert "not text in utf-8" in problem(write(tmp_path / "a.txt", lines + b"caf\xe9\n"))
    cut = gzip.compress(random_bytes(200_000).hex().encode())[:150_000]
    (tmp_path / "b.txt.gz").write_bytes(cut)
    assert "b.txt.gz: the gzip file is cut or damaged" in problem(tmp_path / "b.txt.gz")
    (tmp_path / "c.txt.gz").write_bytes(b"not gzip at all")
    assert "c.txt.gz: not a gzip file" in problem(tmp_path / "c.txt.gz")


def random_bytes(count: int) -> bytes:
    import random

    return random.Random(0).randbytes(count)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{text: 1}", "not a line of JSON"),
        ("[" * 100_000, "not a line of JSON"),
        ('["a"]', "a JSON object was expected, found list"),
        ('{"content": "a"}', 'asked for under "text", found content'),
        ('{"text": 3}', "holds int, not text"),
    ],
)
def test_a_bad_line_of_json_is_named_by_file_and_number(
    tmp_path: Path, line: str, said: str
) -> None:
    path = write(tmp_path / "a.jsonl", f'{{"text": "good"}}\n\n{line}\n'.encode())
    message = problem(path)
    assert "a.jsonl, line 3: " in message
    assert said in message


@given(st.text("ab \n", max_size=80))
def test_cutting_long_lines_loses_and_breaks_no_word_that_fits(text: str) -> None:
    limit = 12
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "LONGEST_LINE", limit)
        parts = list(cut_lines(io.StringIO(text)))
    assert all(len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    if all(len(word) < limit for word in text.split()):
        assert " ".join(parts).split() == text.split()


def test_a_file_without_line_ends_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"nine char " * 2_000_000)
    tracemalloc.start()
    longest = max(len(line) for line in TextFiles((path,)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert longest <= reading.LONGEST_LINE
    assert peak < 4_000_000  # the file has 20 MB
