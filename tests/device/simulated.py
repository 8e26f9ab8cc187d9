"""Compiles `simulated.cpp` and makes torch know its device, ``sim``."""

import importlib.util
import shutil
import subprocess
import sysconfig
import types
from pathlib import Path

import torch
from torch.utils import backend_registration, cpp_extension

COMPILER = shutil.which("g++")


def build(folder: Path) -> Path:
    """The compiled device, in ``folder``; half a minute."""
    library = folder / "simulated_device.so"
    there = [*cpp_extension.include_paths(), sysconfig.get_paths()["include"]]
    linked = cpp_extension.library_paths()
    command = [str(COMPILER), "-O0", "-std=c++20", "-shared", "-fPIC"]
    command += ["-DTORCH_EXTENSION_NAME=simulated_device", *(f"-I{one}" for one in there)]
    command += [str(Path(__file__).with_name("simulated.cpp")), "-o", str(library)]
    command += [word for one in linked for word in (f"-L{one}", f"-Wl,-rpath,{one}")]
    command += ["-ltorch", "-ltorch_cpu", "-lc10", "-ltorch_python"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return library


def start(library: Path) -> torch.device:
    """Load it into this process, which has one more device from then on; nothing takes it back."""
    backend_registration.rename_privateuse1_backend("sim")
    spec = importlib.util.spec_from_file_location("simulated_device", library)
    assert spec is not None
    assert spec.loader is not None
    device = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(device)
    device.start()
    module = types.ModuleType("torch.sim")
    told = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "_is_in_bad_fork": lambda: False,
        "manual_seed_all": lambda seed: None,
        "get_rng_state": lambda device=None: torch.empty(0),
        "set_rng_state": lambda state, device=None: None,
        "get_amp_supported_dtype": lambda: [torch.bfloat16],
    }
    for name, answer in told.items():
        setattr(module, name, answer)
    torch._register_device_module("sim", module)  # type: ignore[no-untyped-call]
    backend_registration.generate_methods_for_privateuse1_backend()
    return torch.device("sim")
