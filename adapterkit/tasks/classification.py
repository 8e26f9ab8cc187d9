"""Classification: one label for a text (topic, sentiment)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.config import HeadConfig
from adapterkit.data.batches import Window, text_windows
from adapterkit.data.datasets_door import require_splits, rows_of
from adapterkit.data.examples import LabelledText
from adapterkit.data.labelled import labelled_from_rows, read_labelled
from adapterkit.metrics import Score, classification_scores
from adapterkit.tasks.base import (
    SPLITS,
    Answer,
    examples_of,
    probabilities,
    read_splits,
    sizes,
    special_of,
)
from adapterkit.tasks.tagging import Files


@dataclass(frozen=True, repr=False)
class Classification:
    """A classification task and its examples. Build one with `from_files` or `from_dataset`.

    Attributes:
        splits: Texts by split.
        column: What is predicted, e.g. ``label``.
    """

    splits: Mapping[str, tuple[LabelledText, ...]]
    column: str = "label"
    kind: str = "classification"
    main_metric: str = "accuracy"

    @classmethod
    def from_files(
        cls,
        train: Files = None,
        *,
        dev: Files = None,
        test: Files = None,
        text: str = "text",
        column: str | None = None,
        language: str | None = None,
    ) -> "Classification":
        """Read TSV or CSV files with a header, or JSONL, also ``.gz``.

        Args:
            train: File or files to learn from.
            dev: To choose the best weights by.
            test: To score on.
            text: Column or key of the text.
            column: Column or key of the label, by default ``label``.
            language: Keep this language of files that hold several (column ``lang``).

        Raises:
            CorpusError: If a file cannot be used.
        """
        files = read_splits({"train": train, "dev": dev, "test": test})
        name = column or "label"
        splits = {
            split: tuple(
                t
                for path in paths
                for t in read_labelled(path, text_column=text, label_column=name, language=language)
            )
            for split, paths in files.items()
        }
        return cls(splits, name)

    @classmethod
    def from_dataset(
        cls,
        dataset: object,
        *,
        column: str = "label",
        text: str = "text",
        splits: Mapping[str, str] | None = None,
        language: str | None = None,
    ) -> "Classification":
        """Take a `datasets` object or a Hub data set id (arguments as `Tagging.from_dataset`)."""
        found = {}
        for split in SPLITS:
            rows, names = rows_of(dataset, split=split, names=splits, column=column)
            if rows is not None:
                found[split] = tuple(
                    labelled_from_rows(
                        rows, text_column=text, label_column=column, names=names, language=language
                    )
                )
        require_splits(found, dataset)
        return cls(found, column)

    def __repr__(self) -> str:
        return f"Classification({self.column}: {sizes(self.splits)})"

    def has(self, split: str) -> bool:
        """Whether there are examples of this split."""
        return bool(self.splits.get(split))

    def examples(self, split: str) -> tuple[LabelledText, ...]:
        """The texts of a split; CorpusError if there are none."""
        return examples_of(self.splits, split, "classification")

    def labels(self) -> tuple[str, ...]:
        """Every label of the training texts, sorted."""
        return tuple(sorted({t.label for t in self.examples("train")}))

    def head(self, labels: tuple[str, ...]) -> HeadConfig:
        """Two layers with tanh over one token, the first or a decoder's last, as AdapterHub's head."""
        return HeadConfig("classification", labels, layers=2)

    def windows(
        self, examples: Sequence[LabelledText], backbone: Backbone, *, limit: int
    ) -> list[Window]:
        """One window a text, several where it is longer than ``limit``; no word is lost."""
        ids = backbone.token_ids([t.text for t in examples])
        return text_windows(ids, special_of(backbone), limit=limit)

    def targets(
        self,
        windows: Sequence[Window],
        examples: Sequence[LabelledText],
        labels: Mapping[str, int],
        length: int,
    ) -> Tensor:
        """The label number of each window's text. Shape ``(batch,)``."""
        return torch.tensor([labels[examples[window.example].label] for window in windows])

    def answers(
        self, windows: Sequence[Window], logits: Sequence[Tensor], count: int, labels: Sequence[str]
    ) -> list[Answer]:
        """The likeliest label of each text: probabilities are averaged over its windows."""
        total = torch.zeros(count, len(labels))
        share = torch.zeros(count, 1)
        for window, scores in zip(windows, logits, strict=True):
            total[window.example] += probabilities(scores).cpu()
            share[window.example] += 1
        best, number = (total / share.clamp(min=1)).max(dim=-1)
        return [
            Answer((labels[i],), (score,))
            for i, score in zip(number.tolist(), best.tolist(), strict=True)
        ]

    def gold(self, example: LabelledText) -> tuple[str, ...]:
        """The text's label."""
        return (example.label,)

    def scores(
        self,
        examples: Sequence[LabelledText],
        answers: Sequence[Answer],
        *,
        seed: int,
        resamples: int = 1000,
    ) -> dict[str, Score]:
        """Accuracy and macro F1."""
        gold, said = [t.label for t in examples], [a.labels[0] for a in answers]
        return classification_scores(gold, said, seed=seed, resamples=resamples)
