"""Between the steps of a loop freed memory stays; after it, it goes back."""

import platform
import subprocess
import sys

import pytest

from adapterkit import allocator

# In a process of its own: what others have freed before decides where memory comes from.
STEPS = """
import resource
import torch
from adapterkit.allocator import memory_kept

torch.set_num_threads(1)

def step():
    kept = [torch.ones(4, 2**20) for _ in range(12)]  # 16 MiB each
    return sum(float(one[0, 0]) for one in kept)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

with memory_kept():
    step(), step()
    with memory_kept():  # a look at a dev set, between two steps of a training
        step()
    before = faults()
    step(), step(), step()
    print((faults() - before) // 3, resident() >> 20)
print(resident() >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than glibc's")
def test_a_step_takes_what_the_last_one_freed_and_after_the_loop_it_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    faults, inside, after = map(int, done.stdout.split())
    assert faults < 100
    assert inside - after > 100  # MiB, of 192


def test_where_the_allocator_is_another_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    with allocator.memory_kept():
        pass


class Libc:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def mallopt(self, number: int, value: int) -> None:
        self.asked.append(f"{number} {value}")

    def malloc_trim(self, pad: int) -> None:
        self.asked.append("trim")


def test_an_error_inside_is_not_swallowed_and_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc()
    monkeypatch.setattr(allocator, "_glibc", lambda: libc)
    with pytest.raises(RuntimeError, match="inside"), allocator.memory_kept():
        raise RuntimeError("inside")
    assert libc.asked == ["-3 33554432", "-1 -1", "-1 67108864", "trim"]
