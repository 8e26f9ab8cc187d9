"""Which of XLM-R's 250,002 pieces `mini` keeps, and the tokenizer over them.

Kept are: every single letter that is neither Han nor Hangul, so that an unseen language can always be spelled; Han and
Hangul characters and signs that the text has; of every script the best-scoring pieces, whether or not a language in it
is learned from (so Georgian is not spelled letter by letter); and then what the texts use most, all languages counting
alike.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from recipes.mini.teacher import Teacher

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
MASK = "<mask>"
SIZE = 42_500
"""Rows of the embeddings: what fits into the package."""
OF_EVERY_SCRIPT = 300
SEEN = 3
"""Times that a Han or Hangul character, or a sign, must occur in the text."""
BY_SCORE = 0.6
"""Share of the rest that goes by the teacher's scores: those count the hundred languages of its text."""
LARGE = ("CJK", "HANGUL")
"""First words of the Unicode names of scripts with thousands of characters."""


def tokenizer_of(pieces: list[str], scores: list[float]) -> Tokenizer:
    """A unigram tokenizer over ``pieces``, whose first four are special and whose last is the mask."""
    made = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=3))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.decoder = decoders.Metaspace(prepend_scheme="always")
    made.add_special_tokens([AddedToken(piece, normalized=False) for piece in SPECIAL])
    # A lone word mark stands before the mask unless it takes the space on its left with it.
    made.add_special_tokens([AddedToken(MASK, lstrip=True, normalized=False)])
    made.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return made


def full_tokenizer(teacher: Teacher) -> Tokenizer:
    """The teacher's own tokenizer."""
    return tokenizer_of(teacher.pieces, teacher.scores)


def counts(tokenizer: Tokenizer, lines: Iterable[str]) -> Counter[int]:
    """How often each piece occurs in ``lines``."""
    found: Counter[int] = Counter()
    for some in batched(lines, 2_000):
        for encoding in tokenizer.encode_batch_fast(some, add_special_tokens=False):
            found.update(encoding.ids)
    return found


def batched(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """``lines`` in lists of ``size``."""
    some: list[str] = []
    for line in lines:
        some.append(line)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def kept_pieces(
    teacher: Teacher, by_language: Mapping[str, Counter[int]], size: int = SIZE
) -> list[int]:
    """The teacher's ids of the pieces to keep, ascending; the special ones and the mask among them.

    Args:
        teacher: Whose pieces they are.
        by_language: How often each piece occurs in the text of each language.
        size: How many in all.
    """
    share: Counter[int] = Counter()
    seen: Counter[int] = Counter()
    for found in by_language.values():
        total = sum(found.values())
        seen.update(found)
        for piece, count in found.items():
            share[piece] += count / total  # type: ignore[assignment]
    last = len(teacher.pieces) - 1
    kept = {0, 1, 2, 3, last}
    of_script: Counter[str] = Counter()
    for piece in sorted(range(4, last), key=lambda one: -teacher.scores[one]):
        text = teacher.pieces[piece].removeprefix("▁")
        script = script_of(text)
        if len(text) <= 1:
            if seen[piece] >= SEEN or not script.startswith((*LARGE, "OTHER")):
                kept.add(piece)
        elif len(text) > 1 and script != "OTHER" and of_script[script] < OF_EVERY_SCRIPT:
            of_script[script] += 1
            kept.add(piece)
    by_score = sorted(range(4, last), key=lambda one: -teacher.scores[one])
    fill(kept, by_score, len(kept) + round(BY_SCORE * (size - len(kept))))
    fill(kept, [piece for piece, _ in share.most_common()], size)
    return sorted(kept)


def fill(kept: set[int], pieces: Iterable[int], size: int) -> None:
    """Add ``pieces`` in their order to ``kept`` until it has ``size`` members."""
    for piece in pieces:
        if len(kept) >= size:
            return
        kept.add(piece)


def script_of(text: str) -> str:
    """First word of the Unicode name of the first letter, e.g. ``LATIN``; ``OTHER`` without a letter."""
    for character in text:
        if character.isalpha():
            return unicodedata.name(character, "OTHER").split()[0].split("-")[0]
    return "OTHER"
