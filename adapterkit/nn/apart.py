"""A frozen module that runs once for each composition of a mixed batch.

Only for modules whose linear layers also run on something without a batch axis: DeBERTa's attention sends its
relative positions, one table for the whole batch, through the same projections as the tokens. What a LoRA makes of the
table is another for each composition, so the attention itself runs by composition; the sum of the work is the same.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from adapterkit.nn.groups import Groups, Where, by_row


class Apart(nn.Module):
    """Stands in for DeBERTa's self-attention, with one module for each composition.

    Args:
        parts: Modules that stand for it, by the composition's number.
        groups: Which composition each row has; each is in ``parts``.
    """

    def __init__(self, parts: Mapping[int, nn.Module], groups: Groups) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({str(number): part for number, part in parts.items()})
        self.groups = groups

    # Names and order of the arguments are transformers' own.
    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        output_attentions: bool = False,
        query_states: Tensor | None = None,
        relative_pos: Tensor | None = None,
        rel_embeddings: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Attend. Shapes ``(batch, length, width)`` and ``(batch, 1, length, length)``; no weights are returned."""

        def attend(number: int, rows: Where) -> Tensor:
            out: Tensor = self.parts[str(number)](
                hidden_states[rows],
                attention_mask[rows],
                query_states=None if query_states is None else query_states[rows],
                relative_pos=relative_pos,
                rel_embeddings=rel_embeddings,
            )[0]
            return out

        return by_row(hidden_states, self.groups, attend), None
