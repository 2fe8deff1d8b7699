#!/usr/bin/env python3
"""Makes status.png, the picture of the status page, beside this script: some minutes of traffic, then a photograph.

A test takes it (tests/page.rs); here it becomes a PNG of 256 colours, a third of the size.
"""

import collections
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent


def chunks(octets):
    at = 8
    while at < len(octets):
        length, kind = struct.unpack(">I4s", octets[at : at + 8])
        yield kind, octets[at + 8 : at + 8 + length]
        at += 12 + length


def chunk(kind, octets):
    return struct.pack(">I", len(octets)) + kind + octets + struct.pack(">I", zlib.crc32(kind + octets))


def rows(octets):
    """The rows of an 8-bit PNG without its filters (W3C PNG, 9.2), and the octets of a pixel."""
    parts = list(chunks(octets))
    width, _, _, colours = struct.unpack(">IIBB", parts[0][1][:10])
    size = {2: 3, 6: 4}[colours]
    raw = zlib.decompress(b"".join(part for kind, part in parts if kind == b"IDAT"))
    length, before, out = width * size, bytearray(width * size), []
    for start in range(0, len(raw), length + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + length])
        for at in range(length):
            left, above = row[at - size] if at >= size else 0, before[at]
            corner = before[at - size] if at >= size else 0
            if kind == 4:
                near = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
                add = (left, above, corner)[near.index(min(near))]
            else:
                add = (0, left, above, (left + above) // 2)[kind]
            row[at] = (row[at] + add) & 255
        out.append(bytes(row))
        before = row
    return out, size


def shrunk(octets):
    pixels, size = rows(octets)
    split = [[row[at : at + 3] for at in range(0, len(row), size)] for row in pixels]
    counted = collections.Counter(pixel for row in split for pixel in row)
    # The most frequent ones, none hardly different from another: rare colours are what should be seen.
    palette = []
    for colour, _ in counted.most_common():
        if len(palette) < 256 and all(sum((a - b) ** 2 for a, b in zip(colour, other)) > 60 for other in palette):
            palette.append(colour)
    nearest = {
        colour: min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at])))
        for colour in counted
    }
    flat = b"".join(b"\0" + bytes(nearest[pixel] for pixel in row) for row in split)
    header = struct.pack(">IIBBBBB", len(split[0]), len(split), 8, 3, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"PLTE", b"".join(palette)) + chunk(b"IDAT", zlib.compress(flat, 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def main():
    with tempfile.TemporaryDirectory() as folder:
        taken = pathlib.Path(folder) / "status.png"
        command = ["cargo", "test", "--test", "page", "--", "--exact", "the_readmes_picture_is_small_and_can_be_taken"]
        subprocess.run(command, cwd=HERE, check=True, env={**os.environ, "MERIDIAN_PICTURE": str(taken)})
        if not taken.exists():
            sys.exit("no picture was taken: the test was skipped, see above")
        (HERE / "status.png").write_bytes(shrunk(taken.read_bytes()))


main()
