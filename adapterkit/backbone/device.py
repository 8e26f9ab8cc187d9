"""Where a backbone computes, and in which precision."""

import torch

from adapterkit.backbone.precision import faster_dtype
from adapterkit.errors import ConfigError

_DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def device_of(device: str | torch.device | None) -> torch.device:
    """``device``, or a GPU if there is one, or the CPU.

    Raises:
        ConfigError: If there is no such device, or none here.
    """
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    try:
        place = torch.device(device or ("cuda" if there["cuda"] else "cpu"))
    except RuntimeError:
        place = None
    if place is None or place.type not in there:
        raise ConfigError(f"unknown device {str(device)!r}; use cpu, cuda, cuda:1 or mps")
    if not there[place.type]:
        raise ConfigError(f"device {str(device)!r}: no GPU here; say --device cpu")
    if (place.index or 0) >= there[place.type]:
        raise ConfigError(
            f"device {str(device)!r}: there are {there[place.type]} here, counted from 0; say --device {place.type}"
        )
    return place


def dtype_of(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """What ``dtype`` means on ``device``; ``auto`` is measured.

    Raises:
        ConfigError: If there is no such one, or none there.
    """
    if dtype is None:
        return torch.float32
    if dtype == "auto":
        return faster_dtype(device)
    there = _DTYPES if device.type == "cpu" else {**_DTYPES, "float16": torch.float16}
    kind = there.get(dtype) if isinstance(dtype, str) else dtype
    if kind is None or kind not in there.values():
        raise ConfigError(
            f"dtype {dtype!r} is not supported on {device.type}; use one of {', '.join(there)}, auto"
        )
    return kind
