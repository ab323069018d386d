#!/usr/bin/env python3
"""Draws assets/shapes, the small colour data set: make_shapes.py FOLDER [IMAGES A CLASS]

One shape a picture, 64 x 64 pixels, RGB: of any colour, place and size, turned a little, on a darker ground of another colour. The same
pictures at every call (a generator of fixed seed); Python's standard library alone.
"""
import colorsys
import math
import pathlib
import random
import struct
import sys
import zlib

SIDE = 64


# Signed distances to a shape of radius 1 round the origin, below 0 inside.
def circle(x, y):
    return math.hypot(x, y) - 1


def ring(x, y):
    return abs(math.hypot(x, y) - 0.75) - 0.25


def square(x, y):
    return max(abs(x), abs(y)) - 0.82


def triangle(x, y):
    return max(y, abs(x) * math.cos(math.pi / 6) - y / 2) - 0.6


def cross(x, y):
    long, short = max(abs(x), abs(y)), min(abs(x), abs(y))
    return max(long - 1, short - 0.3)


SHAPES = {shape.__name__: shape for shape in (circle, cross, ring, square, triangle)}


def colour(rng, low, high):
    return [round(255 * part) for part in colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.45, 1), rng.uniform(low, high))]


def draw(shape, rng):
    """Rows of 3 x SIDE bytes."""
    radius = rng.uniform(14, 21)
    x0, y0 = (rng.uniform(radius + 1, SIDE - radius - 1) for _ in range(2))
    turn = rng.uniform(-0.35, 0.35)
    ink, ground = colour(rng, 0.75, 1), colour(rng, 0.1, 0.35)
    cos, sin = math.cos(turn) / radius, math.sin(turn) / radius
    rows = []
    for j in range(SIDE):
        row = bytearray()
        for i in range(SIDE):
            x, y = i + 0.5 - x0, j + 0.5 - y0
            # The share of the pixel that the shape covers, as a straight edge at this distance would; in quarters, which pack well.
            share = min(1, max(0, 0.5 - radius * shape(cos * x + sin * y, cos * y - sin * x)))
            share = round(4 * share) / 4
            row += bytes(round(share * a + (1 - share) * b) for a, b in zip(ink, ground))
        rows.append(bytes(row))
    return rows


def png(rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    lines = b"".join(b"\0" + row for row in rows)  # filter 0: none
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")


def main():
    folder = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 240
    for name, shape in SHAPES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        rng = random.Random(f"clave {name}")
        for i in range(count):
            (folder / name / f"{i:03d}.png").write_bytes(png(draw(shape, rng)))


if __name__ == "__main__":
    main()
