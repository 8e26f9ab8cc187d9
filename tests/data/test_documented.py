"""What docs/data.md shows is read as it says."""

import re
from pathlib import Path

from adapterkit.data.examples import LabelledText, TaggedSentence
from adapterkit.data.labelled import read_labelled, read_tagged

PAGE = (Path(__file__).parent.parent.parent / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_are_read_as_it_says(tmp_path: Path) -> None:
    words, texts = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "a.txt").write_text(words, encoding="utf-8")
    assert read_tagged(tmp_path / "a.txt") == [
        TaggedSentence(("Rex", "sleeps"), ("B-PER", "O")),
        TaggedSentence(("Anna", "Berg", "reads"), ("B-PER", "I-PER", "O")),
    ]
    (tmp_path / "a.csv").write_text(texts, encoding="utf-8")
    assert read_labelled(tmp_path / "a.csv") == [
        LabelledText("good; very good", "yes"),
        LabelledText("bad", "no"),
    ]
    (record,) = re.findall(r'`({"tokens".*?})`', PAGE)
    (tmp_path / "a.jsonl").write_text(record + "\n", encoding="utf-8")
    assert read_tagged(tmp_path / "a.jsonl") == [TaggedSentence(("Rex", "sleeps"), ("B-PER", "O"))]
