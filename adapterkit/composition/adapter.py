"""One adapter: its weights, what it is for, and where it came from. Reading and writing is in `formats`."""

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from adapterkit.backbone.identity import MINI_NAME, canonical
from adapterkit.config import BackboneFacts, BottleneckConfig, HeadConfig, LowRankConfig
from adapterkit.errors import AdapterMismatch, found
from adapterkit.nn.bottleneck import Bottleneck, Nice, initialise
from adapterkit.nn.embedding_rows import EmbeddingRows
from adapterkit.nn.heads import Head
from adapterkit.nn.low_rank import LowRank, Patch, Rescale
from adapterkit.nn.sites import Node
from adapterkit.tensorfile import digest_of_tensors

NO_BOTTLENECKS = BottleneckConfig(output_adapter=False)


class Adapter(nn.Module):
    """A trained (or just made) adapter. Build one with `new_adapter` or load one.

    Attributes:
        name: What its files call it, e.g. ``cym``.
        kind: ``language``, ``domain`` or ``task``; empty where a folder does not say.
        language: ISO 639-3 code of the text it was trained on, or empty.
        config: Shape of its bottlenecks, or of its LoRA or IA3 parts.
        embedding_rows: What it changes in rows of the vocabulary; None where it has no such part.
        backbone: The backbone it was made for, as far as known.
        provenance: How it was made (plain JSON values), as its folder tells.
        allowed: Name of a derived backbone on which whoever loaded it allowed it; never from a folder.
    """

    def __init__(
        self,
        name: str,
        config: BottleneckConfig | LowRankConfig,
        *,
        backbone: BackboneFacts,
        kind: str = "",
        language: str = "",
        head: Head | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.kind = kind
        self.language = language
        self.config = config
        self.backbone = backbone
        self.provenance: dict[str, Any] = dict(provenance or {})
        self.allowed = ""
        shape = config if isinstance(config, BottleneckConfig) else NO_BOTTLENECKS
        layers = layers_of(shape, backbone)
        self.blocks = _blocks(shape, backbone.width, layers if shape.output_adapter else [])
        self.attention = _blocks(shape, backbone.width, layers if shape.mh_adapter else [])
        self.invertible = _coupling(shape, backbone.width) if shape.invertible else None
        self.patches = _patches(config) if isinstance(config, LowRankConfig) else nn.ModuleDict()
        self.embedding_rows: EmbeddingRows | None = None
        self.head = head

    def __repr__(self) -> str:
        """What it is, in a line; its modules are in ``named_modules()``."""
        made_for = f"for {self.backbone.name or self.backbone.model_type}"
        what = ", ".join(filter(None, (self.kind, self.language, made_for)))
        return f"Adapter({self.name!r}: {what})"

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names of its head, in the order of the outputs; empty without a head."""
        return self.head.config.labels if self.head is not None else ()

    @property
    def adapters(self) -> tuple["Adapter", ...]:
        """Itself: an adapter is the smallest composition."""
        return (self,)

    @property
    def fusions(self) -> tuple[nn.Module, ...]:
        """None: an adapter has no fusion layers."""
        return ()

    @property
    def needs_parts(self) -> bool:
        """Whether a bottleneck must see a sublayer's output and residual apart."""
        return self.config.needs_parts

    def node(self, place: str, layer: int) -> Node | None:
        """Its bottleneck at ``place`` (``attention`` or ``output``) of ``layer``, if it has one there."""
        # Past torch's search for attributes: a mixed batch asks for each place of each of its adapters.
        blocks = self._modules["attention" if place == "attention" else "blocks"]
        assert blocks is not None
        block = blocks._modules.get(str(layer))
        assert block is None or isinstance(block, Bottleneck)
        return block

    @property
    def patched(self) -> frozenset[str]:
        """Paths of the linear layers it changes."""
        return frozenset(name.replace("/", ".") for name in self.patches)

    def patch(self, path: str) -> Patch | None:
        """What it does to the linear layer at ``path``, if anything."""
        found = self.patches._modules.get(path.replace(".", "/"))
        assert found is None or isinstance(found, LowRank | Rescale)
        return found

    def content(self) -> tuple[object, ...]:
        """What it is compared by: its shape and its weights."""
        return ("adapter", repr(self.config), self.digest())

    def tensors(self) -> dict[str, Tensor]:
        """Every weight by its plain name (``blocks.0.down.weight``), without a copy."""
        return dict(self.state_dict())

    def digest(self) -> str:
        """sha256 over names, shapes and values of its weights, independent of its name and folder.

        Values count as float32, as which they are loaded, but for embedding rows, which stay as they are stored.
        """
        return digest_of_tensors(
            {
                name: tensor if name.startswith("embedding_rows.") else tensor.float()
                for name, tensor in self.tensors().items()
            }
        )

    def parameter_count(self) -> int:
        """Numbers in its bottlenecks, coupling, embedding rows and head."""
        return sum(parameter.numel() for parameter in self.parameters())

    def without_embedding_rows(self) -> "Adapter":
        """A copy without its embedding rows (all else is shared)."""
        clone = copy.copy(self)
        clone.__dict__ = {**self.__dict__, "_modules": dict(self._modules)}
        clone.embedding_rows = None
        return clone

    def check_fits(self, facts: BackboneFacts, *, allow_backbone: str | None = None) -> None:
        """Compare type, width, depth and identity with a backbone's.

        Args:
            facts: The backbone it shall be stacked on.
            allow_backbone: Name of a derived backbone that is accepted although the identity
                differs, as `allowed` is; shapes must still fit.

        Raises:
            AdapterMismatch: With every difference at once.
        """
        theirs = self.backbone
        problems = [
            f"{what}: the adapter has {mine}, the backbone has {other}"
            for what, mine, other in (
                ("type", theirs.model_type, facts.model_type),
                ("width", theirs.width, facts.width),
                ("layers", theirs.layers, facts.layers),
                ("layers in the decoder", theirs.decoder_layers, facts.decoder_layers),
            )
            if mine and mine != other
        ]
        allowed = {canonical(name) for name in (allow_backbone, self.allowed) if name}
        if not problems and canonical(facts.name) not in allowed:
            problems += self._identity_problem(facts)
        if problems:
            raise AdapterMismatch(
                f"adapter {self.name!r} does not fit backbone {facts.name!r}:{found(problems)}\n"
                f"{self._advice(facts)}"
            )

    def _advice(self, facts: BackboneFacts) -> str:
        """What to do about an adapter that does not fit."""
        mine = self.backbone.name
        if mine.startswith(MINI_NAME) and facts.name.startswith(MINI_NAME):
            verb = "train-task --train LABELS" if self.head else "train-language --text TEXT"
            return (
                f"`mini` has another version since it was trained. Train it again, on the same data (minutes on a laptop): "
                f"adapterkit {verb} --backbone mini --out FOLDER. Its settings stand in its adapterkit.json, under config."
            )
        origin = f"It was made for {mine!r}. " if mine else ""
        return f"{origin}Load that backbone, or train an adapter for this one."

    def _identity_problem(self, facts: BackboneFacts) -> list[str]:
        mine = self.backbone
        if mine.digest and facts.digest:
            if mine.digest == facts.digest:
                return []
            return [
                f"weights: it was made for {mine.name!r} (sha256 {mine.digest[:12]}), this backbone is "
                f"{facts.name!r} (sha256 {facts.digest[:12]}); allow_backbone={facts.name!r} accepts a derived one"
            ]
        if _may_be_one(canonical(mine.name), facts.name):
            return []
        return [
            f"name: the adapter has {mine.name!r}, the backbone has {facts.name!r}; "
            f"allow_backbone={facts.name!r} accepts a derived one"
        ]


def _may_be_one(mine: str, other: str) -> bool:
    """Whether names alone, an adapter's and a backbone's, leave it open that both mean one backbone."""
    if "/" not in other or not mine:  # a folder here: its name says nothing
        return True
    # Old folders name a backbone as the Hub did before it had owners.
    return mine == (other if "/" in mine else other.rpartition("/")[2])


def new_adapter(
    name: str,
    config: BottleneckConfig | LowRankConfig,
    *,
    backbone: BackboneFacts,
    kind: str,
    language: str = "",
    head: HeadConfig | None = None,
    seed: int = 0,
) -> Adapter:
    """Make an adapter with fresh weights, drawn from ``seed`` alone."""
    made = Head(head, backbone.width) if head is not None else None
    adapter = Adapter(name, config, backbone=backbone, kind=kind, language=language, head=made)
    initialise(adapter, seed)
    return adapter


def layers_of(config: BottleneckConfig, backbone: BackboneFacts) -> list[int]:
    """Numbers of the layers that carry a bottleneck."""
    return [layer for layer in range(backbone.layers) if layer not in config.leave_out]


def _blocks(config: BottleneckConfig, width: int, layers: list[int]) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            str(layer): Bottleneck(width, config.bottleneck_width(width, layer), config)
            for layer in layers
        }
    )


def _patches(config: LowRankConfig) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            linear.path.replace(".", "/"): (
                LowRank(linear, dropout=config.dropout)
                if config.method == "lora"
                else Rescale(linear)
            )
            for linear in config.modules
        }
    )


def _coupling(config: BottleneckConfig, width: int) -> Nice:
    inside = max(1, int((width // 2) // config.invertible_reduction_factor))
    name = config.invertible_non_linearity or config.non_linearity
    return Nice(width, inside, non_linearity=name)
