"""Where a task adapter may stand: last, over language adapters. Only what says that it is one is refused."""

from collections.abc import Iterable

from adapterkit.composition.adapter import Adapter
from adapterkit.errors import ConfigError


def is_task(adapter: Adapter) -> bool:
    """Whether it is a task adapter for certain: its record says so, or it carries a head with labels.

    Many older folders do not say what they are; language adapters among them carry a masked-LM head.
    """
    head = adapter.head
    labelled = head is not None and head.config.head_type != "masked_lm"
    return adapter.kind == "task" or labelled


def require_no_task(adapters: Iterable[Adapter], *, but: str) -> None:
    """Refuse task adapters.

    Args:
        adapters: What must not be one.
        but: What to do instead, for the error.

    Raises:
        ConfigError: If one of them is.
    """
    wrong = [repr(adapter.name) for adapter in adapters if is_task(adapter)]
    if wrong:
        what = "is a task adapter" if len(wrong) == 1 else "are task adapters"
        raise ConfigError(f"{', '.join(wrong)} {what}; {but}")
