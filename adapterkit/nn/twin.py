"""A twin: the same tensors in a second tree of modules, for hooks that nobody else shall see.

Parameters and buffers are shared by sharing each module's own dictionaries of them, so a twin follows
when the original moves to another device or dtype. Only the modules and their hooks are new.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import MethodType

from torch import Tensor, nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def twin(module: nn.Module, *, instead: Mapping[nn.Module, nn.Module] | None = None) -> nn.Module:
    """Clone a tree of modules over the same tensors, without its hooks.

    Modules that occur twice in the tree occur twice, as one, in the twin.

    Args:
        module: The root.
        instead: What stands in the twin in place of certain modules, which are not cloned then.
    """
    return _twin(module, {id(old): new for old, new in (instead or {}).items()})


def copied(modules: Sequence[nn.Module], change: Callable[[Tensor], Tensor]) -> list[nn.Module]:
    """Clone trees of modules, hooks too, over tensors of their own.

    What else hangs on a module (its configuration, say) is shared, and what occurs several times in the trees still
    does. Many times as fast as `copy.deepcopy`, which takes each module's ten empty dictionaries through pickling.

    Args:
        modules: The roots.
        change: The new tensor for a parameter or buffer.
    """
    done: dict[int, nn.Module] = {}
    clones = [_twin(module, done) for module in modules]
    made: dict[int, Tensor | None] = {id(None): None}
    originals = {id(old): old for module in modules for old in module.modules()}
    for number, old in originals.items():
        own = done[number].__dict__
        own |= {name: old.__dict__[name].copy() for name in _HOOKS}
        for name in ("_parameters", "_buffers"):
            tensors: dict[str, Tensor | None] = old.__dict__[name]
            made |= {
                id(had): change(had)
                for had in tensors.values()
                if had is not None and id(had) not in made
            }
            own[name] = {key: made[id(had)] for key, had in tensors.items()}
    return clones


def _twin(module: nn.Module, done: dict[int, nn.Module]) -> nn.Module:
    if id(module) in done:
        return done[id(module)]
    # What copy.copy does, without its way over pickling: a backbone has hundreds of modules.
    clone = object.__new__(type(module))
    own = clone.__dict__ = module.__dict__.copy()
    # transformers leaves bound methods on instances (4.57, after output_hidden_states=True): a twin
    # that kept them would run the original's children, without its own hooks.
    for name, value in module.__dict__.items():
        if type(value) is MethodType and value.__self__ is module:
            own[name] = MethodType(value.__func__, clone)
    done[id(module)] = clone
    for name in _HOOKS:
        own[name] = OrderedDict()
    own["_modules"] = {
        name: None if child is None else _twin(child, done)
        for name, child in module._modules.items()
    }
    return clone
