"""A reader of LZ4 frames, in which Xet clients send their chunks.

Source: the LZ4 frame and block formats, https://github.com/lz4/lz4/tree/dev/doc. Checksums are stepped over.
"""

import struct

MAGIC = 0x184D2204


def decompress(data: bytes) -> bytes:
    """The bytes of one frame.

    Raises:
        ValueError: If it is none, or is cut.
    """
    magic, flags, _ = struct.unpack_from("<IBB", data)
    if magic != MAGIC:
        raise ValueError("not an LZ4 frame")
    at = 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
    out = bytearray()
    while True:
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if size == 0:
            return bytes(out)
        block = data[at : at + (size & 0x7FFFFFFF)]
        at += len(block) + (4 if flags & 0x10 else 0)
        if size & 0x80000000:
            out += block
        else:
            _block(block, out)


def _block(block: bytes, out: bytearray) -> None:
    """Append what a block says to ``out``, into whose past its matches point."""
    at = 0
    while at < len(block):
        token = block[at]
        length, at = _length(block, at + 1, token >> 4)
        out += block[at : at + length]
        at += length
        if at >= len(block):
            return
        offset = block[at] | block[at + 1] << 8
        length, at = _length(block, at + 2, token & 15)
        length += 4
        start = len(out) - offset
        if offset == 0 or start < 0:
            raise ValueError("a match points before the start")
        while length > 0:  # a match may overlap what it writes
            piece = out[start : start + length]
            out += piece
            start += len(piece)
            length -= len(piece)


def _length(block: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            more = block[at]
            at += 1
            length += more
            if more != 255:
                break
    return length, at
