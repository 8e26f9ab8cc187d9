"""A grid small enough for tests: a data folder of made-up languages and a recipe over a tiny backbone."""

from pathlib import Path

from tests.tiny import lines

LANGUAGES = {"eng": 0, "cym": 1, "bre": 2}


def data_folder(root: Path) -> Path:
    """``text/`` and ``ud/`` of three languages; ``bre`` has no dev set, ``cym`` a train set, too."""
    for language, seed in LANGUAGES.items():
        write(root / "text" / f"{language}.txt", "\n".join(lines(150, seed=seed)) + "\n")
        splits = {"eng": ("train", "dev"), "cym": ("train", "dev", "test"), "bre": ("test",)}
        for number, split in enumerate(splits[language]):
            found = lines(30 if split == "train" else 12, seed=10 * seed + number + 5)
            write(root / "ud" / f"{language}_x.{split}.conllu", conllu(found))
    return root


def conllu(found: list[str], tags: tuple[str, str] = ("NOUN", "VERB")) -> str:
    """Sentences whose tags the first letter decides."""
    blocks = []
    for line in found:
        rows = [
            f"{n}\t{word}\t_\t{tags[word[0] in 'aeiou']}" + "\t_" * 6
            for n, word in enumerate(line.split(), start=1)
        ]
        blocks.append("\n".join(rows) + "\n\n")
    return "".join(blocks)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


RECIPE = """
[grid]
split = "dev"
backbones = ["BACKBONE"]
tasks = ["pos"]
seeds = [0, 1]
methods = ["own", "source-kept", "removed"]

[groups]
dev = ["cym", "bre"]

[text]
files = "text/{language}.txt"

[tasks.pos]
kind = "pos"
files = "ud/{language}_*.{split}.conllu"
source = "eng"

[language_adapter]
steps = 6
batch_size = 4
block_length = 24
evaluate_every = 2
heldout_blocks = 4
reduction_factor = 4
precision = "float32"

[task_adapter]
steps = 6
batch_size = 8
evaluate_every = 3
precision = "float32"
"""


def recipe(
    folder: Path, backbone: str | Path, *changes: tuple[str, str], name: str = "small"
) -> Path:
    """The recipe with some of its words changed."""
    text = RECIPE
    for old, new in (("BACKBONE", str(backbone)), *changes):
        assert old in text, old
        text = text.replace(old, new)
    return write(folder / f"{name}.toml", text)
