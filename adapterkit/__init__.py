"""adapterkit brings any NLP task to any language.

A language adapter is trained from raw text, a task adapter from labelled data of another language; stacked
on a frozen multilingual backbone they solve the task in a language without labels (Pfeiffer et al., 2020).

Importing this package is quick: a name's room, and torch with it, is loaded when the name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from adapterkit.errors import (
    AdapterkitError,
    AdapterMismatch,
    ConfigError,
    CorpusError,
    FolderError,
    HubError,
)
from adapterkit.version import __version__

if TYPE_CHECKING:
    from adapterkit.backbone.frozen import Backbone
    from adapterkit.backbone.load import load_backbone
    from adapterkit.bridge import from_adapters, to_adapters
    from adapterkit.composition.adapter import Adapter
    from adapterkit.composition.average import Average
    from adapterkit.composition.fuse import Fuse
    from adapterkit.composition.rows import Rows
    from adapterkit.composition.stack import Stack
    from adapterkit.data.corpus import Corpus
    from adapterkit.evaluation import Scores, compare, evaluate
    from adapterkit.experiments.run import run
    from adapterkit.formats.adapterhub import load_adapter, save_adapter
    from adapterkit.formats.compositions import load_composition, save_composition
    from adapterkit.formats.conversion import convert
    from adapterkit.merging import merge
    from adapterkit.model import AdaptedModel
    from adapterkit.pool import AdapterPool
    from adapterkit.prediction import fill, predict
    from adapterkit.publishing.push import Publication, push
    from adapterkit.pulling.project import lock, sync, verify
    from adapterkit.pulling.pull import Pulled, pull
    from adapterkit.searching.search import search
    from adapterkit.settings import LanguageConfig, SelfTrainingConfig, TaskConfig
    from adapterkit.stacks import load_stack, save_stack
    from adapterkit.tasks.classification import Classification
    from adapterkit.tasks.tagging import Tagging
    from adapterkit.training.fusion import train_fusion
    from adapterkit.training.language import train_language
    from adapterkit.training.self_training import self_train
    from adapterkit.training.task import train_task

_ROOMS = {
    "Backbone": "backbone.frozen",
    "load_backbone": "backbone.load",
    "Adapter": "composition.adapter",
    "Average": "composition.average",
    "Fuse": "composition.fuse",
    "Rows": "composition.rows",
    "Stack": "composition.stack",
    "LanguageConfig": "settings",
    "SelfTrainingConfig": "settings",
    "TaskConfig": "settings",
    "Corpus": "data.corpus",
    "Scores": "evaluation",
    "compare": "evaluation",
    "evaluate": "evaluation",
    "load_adapter": "formats.adapterhub",
    "save_adapter": "formats.adapterhub",
    "load_composition": "formats.compositions",
    "save_composition": "formats.compositions",
    "convert": "formats.conversion",
    "run": "experiments.run",
    "from_adapters": "bridge",
    "to_adapters": "bridge",
    "merge": "merging",
    "AdaptedModel": "model",
    "AdapterPool": "pool",
    "fill": "prediction",
    "predict": "prediction",
    "search": "searching.search",
    "load_stack": "stacks",
    "save_stack": "stacks",
    "Publication": "publishing.push",
    "push": "publishing.push",
    "lock": "pulling.project",
    "sync": "pulling.project",
    "verify": "pulling.project",
    "Pulled": "pulling.pull",
    "pull": "pulling.pull",
    "Classification": "tasks.classification",
    "Tagging": "tasks.tagging",
    "self_train": "training.self_training",
    "train_fusion": "training.fusion",
    "train_language": "training.language",
    "train_task": "training.task",
}

__all__ = [
    "AdaptedModel",
    "Adapter",
    "AdapterMismatch",
    "AdapterPool",
    "AdapterkitError",
    "Average",
    "Backbone",
    "Classification",
    "ConfigError",
    "Corpus",
    "CorpusError",
    "FolderError",
    "Fuse",
    "HubError",
    "LanguageConfig",
    "Publication",
    "Pulled",
    "Rows",
    "Scores",
    "SelfTrainingConfig",
    "Stack",
    "Tagging",
    "TaskConfig",
    "__version__",
    "compare",
    "convert",
    "evaluate",
    "fill",
    "from_adapters",
    "load_adapter",
    "load_backbone",
    "load_composition",
    "load_stack",
    "lock",
    "merge",
    "predict",
    "pull",
    "push",
    "run",
    "save_adapter",
    "save_composition",
    "save_stack",
    "search",
    "self_train",
    "sync",
    "to_adapters",
    "train_fusion",
    "train_language",
    "train_task",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'adapterkit' has no attribute {name!r}")
    value = getattr(import_module(f"adapterkit.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
