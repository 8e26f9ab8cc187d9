"""What no trained adapter changes, computed once a window and kept in memory under a bound.

A window's state must not depend on when it is asked for, or a resumed run would end with other last digits: windows
that are kept are always computed in the same groups, those beyond the bound anew with each batch. Nothing is saved.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from adapterkit.data.batches import Batch, Window, by_length, pad
from adapterkit.model import AdaptedModel
from adapterkit.passes import task_loss
from adapterkit.tasks.base import special_of
from adapterkit.training.halves import Halves, halves_of

GROUP = 32
"""Windows that are computed together, the first time that one of them is needed."""


class States:
    """The states of windows where a model is cut.

    Args:
        model: The model.
        halves: Its two halves.
        windows: Its inputs.
        room: Bytes that may be kept.
    """

    def __init__(
        self, model: AdaptedModel, halves: Halves, windows: Sequence[Window], *, room: int
    ) -> None:
        self.model = model
        self.halves = halves
        self.windows = windows
        kept = _fitting(windows, room, model.backbone.width * model.backbone.dtype.itemsize)
        groups = by_length([windows[number] for number in kept], GROUP)
        self._groups = {
            kept[place]: [kept[other] for other in group] for group in groups for place in group
        }
        self._states: dict[int, Tensor] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes that are kept at this moment."""
        return sum(state.nbytes for state in self._states.values())

    def loss(self, numbers: Sequence[int], batch: Batch) -> Tensor:
        """The loss of the windows ``numbers``, which ``batch`` holds, as the whole model has it; a scalar."""
        return task_loss(self.logits(numbers, batch.input_ids, batch.attention_mask), batch)

    def logits(self, numbers: Sequence[int], input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The head's logits on the windows ``numbers``, as the whole model has them.

        Args:
            numbers: Which windows.
            input_ids: They, padded. Shape ``(batch, length)``.
            attention_mask: Shape ``(batch, length)``.
        """
        hidden = self.halves.above(self.at(numbers).to(input_ids.device), attention_mask)
        return self.model.head_logits(hidden, input_ids, attention_mask)

    def at(self, numbers: Sequence[int]) -> Tensor:
        """States of windows, zero at padding. Shape ``(batch, length, width)``, length the longest's."""
        for number in numbers:
            if number in self._groups and number not in self._states:
                self._states |= self._compute(self._groups[number])
        others = [number for number in numbers if number not in self._groups]
        there = self._states | self._compute(others) if others else self._states
        return pad_sequence([there[number] for number in numbers], batch_first=True)

    def _compute(self, numbers: Sequence[int]) -> dict[int, Tensor]:
        device = self.model.backbone.device
        windows = [self.windows[number] for number in numbers]
        ids, mask = pad(windows, special_of(self.model.backbone))
        found = self.halves.below(ids.to(device), mask.to(device)).cpu()
        # Copies: a slice would keep the whole group's padding alive.
        return {
            number: state[: len(window.tokens)].clone()
            for number, window, state in zip(numbers, windows, found, strict=True)
        }


def states_of(model: AdaptedModel, windows: Sequence[Window], *, room: int) -> States | None:
    """States of ``windows`` for ``model``; None where it cannot be cut, or there is no room."""
    halves = halves_of(model) if room > 0 else None
    return None if halves is None else States(model, halves, windows, room=room)


def _fitting(windows: Sequence[Window], room: int, token_bytes: int) -> list[int]:
    """Numbers of the windows, from the first on, that fit."""
    kept = []
    for number, window in enumerate(windows):
        room -= len(window.tokens) * token_bytes
        if room < 0:
            break
        kept.append(number)
    return kept
