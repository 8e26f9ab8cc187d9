"""Names and shapes of the tensors that a configuration calls for, computed without making any. No torch.

They are compared with what a file's header says before a module is built, so that a configuration can
never make us allocate more than the file itself holds.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.formats.keys import head_parts
from adapterkit.header import FLOATS, TensorFacts

Shape = tuple[int, ...]


def adapter_shapes(config: BottleneckConfig, width: int, layers: Sequence[int]) -> dict[str, Shape]:
    """Shape of every tensor of an adapter, by our name (``blocks.3.down.weight``).

    Raises:
        ConfigError: If the reduction factors do not name one of ``layers``.
    """
    places = ["attention"] if config.mh_adapter else []
    places += ["blocks"] if config.output_adapter else []
    shapes = {
        f"{place}.{layer}.{part}": shape
        for place in places
        for layer in layers
        for part, shape in _bottleneck(config, width, config.bottleneck_width(width, layer)).items()
    }
    return shapes | (_coupling(config, width // 2) if config.invertible else {})


def _linear(name: str, out: int, into: int) -> dict[str, Shape]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _bottleneck(config: BottleneckConfig, width: int, inside: int) -> dict[str, Shape]:
    shapes = _linear("down", inside, width) | _linear("up", width, inside)
    for name, there in (("norm_before", config.ln_before), ("norm_after", config.ln_after)):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)} if there else {}
    shapes |= _linear("gate", 1, width) if config.use_gating else {}
    scale = {"learned": 1, "channel": width}
    return shapes | ({"scale": (scale[config.scaling],)} if isinstance(config.scaling, str) else {})


def _coupling(config: BottleneckConfig, half: int) -> dict[str, Shape]:
    inside = max(1, int(half // config.invertible_reduction_factor))
    shapes: dict[str, Shape] = {}
    for net in "FG":
        shapes |= _linear(f"invertible.{net}.0", inside, half)
        shapes |= _linear(f"invertible.{net}.2", half, inside)
    return shapes


def head_shapes(config: HeadConfig, width: int) -> dict[str, Shape]:
    """Shape of every tensor of a head, by our name (``head.chain.1.weight``)."""
    parts = head_parts(config)
    last = parts[-1].split(".")[0]
    out = config.vocabulary if config.head_type == "masked_lm" else len(config.labels)
    shapes: dict[str, Shape] = {}
    for part in parts:
        place, end = part.split(".")
        rows = out if place == last else width
        # Between the linear layers of a masked_lm head stand norms, at every third place.
        norm = config.head_type == "masked_lm" and place != last and int(place) % 3 == 2
        shapes[f"head.chain.{part}"] = (rows,) if end == "bias" or norm else (rows, width)
    return shapes


def differences(
    wanted: Mapping[str, Shape], there: Mapping[str, TensorFacts], *, whole: Collection[str] = ()
) -> list[str]:
    """Everything by which a file's tensors differ from those that are called for, a line each.

    Args:
        wanted: Shapes by key.
        there: What the file has.
        whole: Keys of those that hold 32-bit whole numbers; all others are floating-point.
    """
    problems = [f"{key}: not part of this adapter" for key in sorted(there) if key not in wanted]
    for key, shape in sorted(wanted.items()):
        if key in there:
            problems += _difference(key, shape, there[key], {"I32"} if key in whole else FLOATS)
    return problems + [f"{key}: missing" for key in sorted(wanted) if key not in there]


def _difference(key: str, shape: Shape, fact: TensorFacts, dtypes: Collection[str]) -> list[str]:
    if fact.shape != shape:
        return [f"{key}: shape {fact.shape}, needed {shape}"]
    if fact.dtype not in dtypes:
        kind = "a floating-point one" if dtypes is FLOATS else " or ".join(sorted(dtypes))
        return [f"{key}: dtype {fact.dtype}, {kind} is needed"]
    return []


def shortened(problems: Iterable[str], most: int = 12) -> list[str]:
    """At most ``most`` of ``problems``, and how many more there are."""
    lines = [line if len(line) <= 300 else f"{line[:300]}..." for line in problems]
    return lines[:most] + ([f"... and {len(lines) - most} more"] if len(lines) > most else [])
