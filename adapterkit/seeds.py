"""Independent random streams from one seed, so that nothing depends on what ran before.

Every draw in training is named by what it is for and by the step it belongs to. A run that resumes at
step 700 therefore sees the numbers it would have seen, and no generator state is ever saved.
"""

import hashlib


def derive(seed: int, *labels: str | int) -> int:
    """Turn a seed and a path of labels into the seed of one independent stream.

    Args:
        seed: The run's seed.
        labels: What the stream is for, e.g. ``("mask", 120)``.

    Returns:
        An integer in ``[0, 2**63)``; the same arguments always give the same one.
    """
    text = "/".join([str(seed), *map(str, labels)])
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
