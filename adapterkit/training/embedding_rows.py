"""Which rows of the vocabulary a language training trains, and whether it can.

A row for each piece that occurs often enough in the packed corpus, none for special tokens, whose rows every language
shares. Deltas start at zero: before the first step the adapter is the one that it would be without them.
"""

import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.config import LowRankConfig
from adapterkit.data.blocks import Blocks
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.nn.embedding_rows import EmbeddingRows
from adapterkit.settings import LanguageConfig

ROWS = "embedding_rows."
"""How the names of an adapter's embedding rows begin."""


def check_rows(
    config: LanguageConfig, backbone: Backbone, init: Adapter | None, over: Adapter | None
) -> None:
    """Refuse, before any work, embedding rows that could not be trained, stacked or saved.

    Raises:
        ConfigError: That says why.
    """
    if not config.embedding_rows and (init is None or init.embedding_rows is None):
        return
    if init is not None and isinstance(init.config, LowRankConfig):
        raise ConfigError(
            f"adapter {init.name!r}, to start from (init), keeps its shape, and the folder of a {init.config.method} "
            "adapter has no place for embedding rows; leave out embedding_rows, or start from another adapter"
        )
    if over is not None and over.embedding_rows is not None:
        raise ConfigError(
            f"adapter {over.name!r}, under the new one (over), has embedding rows, and in a stack one part can "
            "have some; train without embedding_rows, or over an adapter that has none"
        )
    width = backbone.embedding_matrix().shape[1]
    if width != backbone.width:
        raise ConfigError(
            f"embedding_rows: the embeddings of backbone {backbone.name!r} are {width} wide, its layers "
            f"{backbone.width}; over such a backbone they are not supported"
        )


def add_rows(
    adapter: Adapter, training: Blocks, config: LanguageConfig, init: Adapter | None
) -> None:
    """Give ``adapter`` rows at zero for the pieces of the corpus, and the rows of ``init`` as they are.

    Raises:
        CorpusError: If no piece occurs often enough.
    """
    start = None if init is None else init.embedding_rows
    ids = [] if start is None else [start.ids.long().cpu()]
    if config.embedding_rows:
        ids.append(training.plain_pieces(config.embedding_rows_at_least))
    if not ids:
        return
    pieces = torch.unique(torch.cat(ids))
    if not len(pieces):
        raise CorpusError(
            f"embedding_rows: no piece occurs {config.embedding_rows_at_least} times in the corpus; "
            "lower embedding_rows_at_least, or add text"
        )
    place = next(adapter.parameters())
    rows = EmbeddingRows(pieces, adapter.backbone.width).to(place.device, place.dtype)
    if start is not None:
        rows.take(start.table())
    adapter.embedding_rows = rows


def rows_record(adapter: Adapter) -> dict[str, int]:
    """How many rows there are, for the provenance; empty if none."""
    rows = adapter.embedding_rows
    return {} if rows is None else {"embedding_rows": len(rows)}
