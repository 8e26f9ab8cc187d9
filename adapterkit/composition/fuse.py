"""A fuse: adapters side by side, weighed by trained attention (AdapterFusion)."""

from typing import Any, TypeVar

from torch import nn

from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import Value, check_children
from adapterkit.config import BottleneckConfig, FusionConfig, fusion_places
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.nn.bottleneck import Bottleneck, Coupling
from adapterkit.nn.fusion import Fused, FusionLayers
from adapterkit.nn.heads import Head
from adapterkit.nn.low_rank import Patch
from adapterkit.nn.sites import Node
from adapterkit.tensorfile import digest_of_tensors

Part = TypeVar("Part", bound=nn.Module | None)


class Fuse(Value):
    """Bottleneck adapters and the fusion layers over them.

    Args:
        adapters: Plain bottleneck adapters of one backbone, at least two.
        layers: Trained fusion layers; by default fresh ones, drawn from ``seed``.
        config: Shape of fresh ones.
        head: The prediction head trained with the fusion.
        seed: Of fresh ones.

    Raises:
        ConfigError: If something other than sequential bottleneck adapters shall be fused, or one has
            embedding rows: attention weighs what layers say, and a row of the vocabulary has no layer.
        AdapterMismatch: If the adapters are of different backbones, or ``layers`` are not for them.

    Source: Pfeiffer et al. (2021), "AdapterFusion".
    """

    __slots__ = ("_head", "layers")
    layers: FusionLayers
    _head: Head | None

    def __init__(
        self,
        *adapters: Adapter,
        layers: FusionLayers | None = None,
        config: FusionConfig | None = None,
        head: Head | None = None,
        seed: int = 0,
    ) -> None:
        check_children("Fuse", adapters, ("Adapter",))
        _check(adapters)
        shapes = [a.config for a in adapters if isinstance(a.config, BottleneckConfig)]
        places = fusion_places(shapes, adapters[0].backbone.layers)
        if layers is None:
            layers = FusionLayers(config or FusionConfig(), adapters[0].backbone.width, places)
            layers.initialise(seed)
        else:
            used = [one for one in places if any(part.node(*one) for part in adapters)]
            _check_layers(layers, adapters[0].backbone.width, used)
        self._set(tuple(adapters))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "_head", head)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.parts, self.layers, self._head))

    @property
    def fusions(self) -> tuple[nn.Module, ...]:
        """Its fusion layers, and the head trained with them."""
        return (self.layers,) if self._head is None else (self.layers, self._head)

    @property
    def needs_parts(self) -> bool:
        """Whether query, keys or an adapter must see a sublayer's output apart from the residual."""
        config = self.layers.config
        return config.query_before_ln or config.residual_before or super().needs_parts

    @property
    def invertible(self) -> Coupling | None:
        """The first adapter's coupling, as AdapterHub has it."""
        found: Coupling | None = self.parts[0].invertible
        return found

    @property
    def head(self) -> Head | None:
        """The head that was trained with the fusion."""
        return self._head

    def with_head(self, head: Head) -> "Fuse":
        """The same fuse with a head."""
        return _rebuild(self.parts, self.layers, head)

    def node(self, place: str, layer: int) -> Node | None:
        """Attention over what its adapters do at ``place`` of ``layer``."""
        blocks = [
            block for part in self.parts if isinstance(block := part.node(place, layer), Bottleneck)
        ]
        found = self.layers.at(place, layer)
        return Fused(tuple(blocks), found) if blocks and found is not None else None

    @property
    def embedding_rows(self) -> None:
        """None: adapters with embedding rows are not fused."""
        return

    def patch(self, path: str) -> Patch | None:
        """None: only bottlenecks can be fused."""
        return None

    def content(self) -> tuple[object, ...]:
        """What it is compared by: the fusion's weights too."""
        head = self._head.digest() if self._head is not None else ""
        weights = digest_of_tensors(dict(self.layers.state_dict()))
        return (*super().content(), repr(self.layers.config), weights, head)


def _check(adapters: tuple[Adapter, ...]) -> None:
    if len(adapters) < 2:
        raise ConfigError("a Fuse needs at least two adapters")
    if len({adapter.name for adapter in adapters}) < len(adapters):
        raise ConfigError(f"fused adapters need different names, got {[a.name for a in adapters]}")
    for adapter in adapters:
        if not isinstance(adapter.config, BottleneckConfig) or adapter.config.is_parallel:
            raise ConfigError(
                f"adapter {adapter.name!r} is no sequential bottleneck: only such can be fused"
            )
        if adapter.embedding_rows is not None:
            raise ConfigError(
                f"adapter {adapter.name!r} has embedding rows, which attention over layers cannot weigh; "
                "fuse adapter.without_embedding_rows()"
            )
    facts = {(a.backbone.model_type, a.backbone.width, a.backbone.layers) for a in adapters}
    if len(facts) > 1:
        raise AdapterMismatch(f"the adapters of a Fuse are of different backbones: {sorted(facts)}")


def _check_layers(layers: FusionLayers, width: int, places: list[tuple[str, int]]) -> None:
    """Without one of its layers a fuse would pass over the adapters there without a word."""
    missing = [
        f"{place} of layer {layer}" for place, layer in places if not layers.at(place, layer)
    ]
    if missing:
        raise AdapterMismatch(
            f"these fusion layers are not for these adapters, which stand at {len(places)} places; "
            f"there is none for {', '.join(missing[:4])}{' and others' if len(missing) > 4 else ''}"
        )
    widths = {matrix.shape[-1] for matrix in layers.parameters()}
    if width and widths and widths != {width}:
        raise AdapterMismatch(
            f"these fusion layers are of width {', '.join(map(str, sorted(widths)))}, the adapters' backbone of {width}"
        )


def _rebuild(parts: tuple[Adapter, ...], layers: FusionLayers, head: Head | None) -> Fuse:
    return Fuse(*parts, layers=layers, head=head)
