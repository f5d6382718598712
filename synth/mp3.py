"""How many frames an MP3 file holds, counted where it does not say so itself."""

from __future__ import annotations

import io
import struct
from pathlib import Path

FRAME = 1152  # samples of MPEG 1; MPEG 2 has half
_KBITS = {  # by bit-rate index, layer III
    "1": (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    "2": (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_TAGS = (b"Xing", b"Info")


def with_length(path: Path) -> io.BytesIO | None:
    """Return an MP3 file with a tag that states its frames, counted; None where it states them, or is no MP3.

    Decoders estimate the length of a file without such a tag from its first frames, and cut it, or miss what
    was never there. Files lose the tag where their first frame is taken off, and it is wrong where they are
    cut or joined.

    Parameters
    ----------
    path : path

    Returns
    -------
    file : io.BytesIO or None

    Notes
    -----
    Frame headers: ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3. The tag is Xing's: a frame of silence with the number
    of frames behind its side information.
    """
    data = path.read_bytes()
    start = _after_id3(data)
    start = next((at for at in range(start, min(start + 4096, len(data) - 4)) if _size(data, at)), -1)
    if start < 0:
        return None
    size, place = _size(data, start), start + 4 + _side_information(data, start)
    frames, at, end = 0, start, len(data)
    while at < end - 4:
        size = _size(data, at, like=start)
        if not size:
            at = _next(data, at + 1, like=start)
            continue
        frames, at = frames + 1, at + size
    if data[place : place + 4] in _TAGS and data[place + 7] & 1:
        (stated,) = struct.unpack(">I", data[place + 8 : place + 12])
        if abs(stated + 1 - frames) <= 2:  # it does not count itself
            return None
    return io.BytesIO(_tag_frame(data, start, frames) + data[start:])


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:  # seven bits each
        size = size << 7 | byte & 0x7F
    return 10 + size


def _size(data: bytes, at: int, like: int | None = None) -> int:
    """Return the bytes of the layer III frame at a place, of the kind of another; 0 if there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return 0
    version, index, rate = data[at + 1] >> 3 & 3, data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or index in (0, 15) or rate == 3:
        return 0
    if like is not None and (data[at + 1] ^ data[like + 1]) & 0x1E | (data[at + 2] ^ data[like + 2]) & 0x0C:
        return 0
    kbits = _KBITS["1" if version == 3 else "2"][index]
    return (144 if version == 3 else 72) * 1000 * kbits // _RATES[version][rate] + (data[at + 2] >> 1 & 1)


def _next(data: bytes, at: int, like: int) -> int:
    """Return where the next frame is that another follows, or the end."""
    while (at := data.find(b"\xff", at)) >= 0:
        if (size := _size(data, at, like)) and (at + size >= len(data) or _size(data, at + size, like)):
            return at
        at += 1
    return len(data)


def _side_information(data: bytes, at: int) -> int:
    mono, version = data[at + 3] >> 6 == 3, data[at + 1] >> 3 & 3
    return (17 if mono else 32) if version == 3 else (9 if mono else 17)


def _tag_frame(data: bytes, at: int, frames: int) -> bytes:
    """Return a frame like another that holds nothing but their number."""
    index = 5 if data[at + 1] >> 3 & 3 == 3 else 8  # 64 kbit/s: room enough
    header = bytes([0xFF, data[at + 1] | 1, index << 4 | data[at + 2] & 0x0C, data[at + 3]])
    body = bytes(_side_information(data, at)) + b"Xing" + struct.pack(">II", 1, frames)
    return (header + body).ljust(_size(header, 0), b"\0")
