#!/usr/bin/env python3
"""Writes world.json, the outlines that the status page draws, beside this script.

Outlines: Natural Earth 1:110m (naturalearthdata.com, public domain) as packed by npm `world-atlas` 2 (ISC).
Codes: npm `iso-3166-1` 2 (MIT). Centres of countries: geoip/countries.txt (GeoNames, CC BY 4.0).

The projection is Equal Earth (Savric, Patterson, Jenny 2018), as in map.js, which must agree with it.
Needs npm, to fetch the two packages into a temporary folder.
"""

import json
import math
import pathlib
import re
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
WIDTH, SOUTH, NORTH = 960, -57.0, 83.7
# Points nearer than this to the line between their neighbours are left out, and islands smaller than this.
TOLERANCE, AREA_MIN = 0.55, 1.2
A1, A2, A3, A4, M = 1.340264, -0.081106, 0.000893, 0.003796, math.sqrt(3) / 2
SCALE = WIDTH / 2 / 2.70663


def equal_earth(longitude, latitude):
    """The point on the plane, x to the east and y to the south, in units of the drawing."""
    t = math.asin(M * math.sin(math.radians(latitude)))
    squared = t * t
    sixth = squared**3
    x = math.radians(longitude) * math.cos(t) / (M * (A1 + 3 * A2 * squared + sixth * (7 * A3 + 9 * A4 * squared)))
    y = t * (A1 + A2 * squared + sixth * (A3 + A4 * squared))
    return x * SCALE + WIDTH / 2, -y * SCALE


TOP = equal_earth(0, NORTH)[1]


def place(longitude, latitude):
    x, y = equal_earth(longitude, max(SOUTH, min(NORTH, latitude)))
    return x, y - TOP


def fetch(package, folder):
    name = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    with tarfile.open(folder / name) as packed:
        packed.extractall(folder / package.split("@")[0], filter="data")
    return folder / package.split("@")[0] / "package"


def simplified(points):
    """Douglas and Peucker's line: the ends, and whatever is farther than the tolerance from the line between."""
    if len(points) < 3:
        return points
    (ax, ay), (bx, by) = points[0][:2], points[-1][:2]
    length = math.hypot(bx - ax, by - ay)

    def distance(point):
        if length == 0:
            return math.hypot(point[0] - ax, point[1] - ay)
        return abs((bx - ax) * (ay - point[1]) - (ax - point[0]) * (by - ay)) / length

    far = max(range(1, len(points) - 1), key=lambda at: distance(points[at]))
    if distance(points[far]) <= TOLERANCE:
        return [points[0], points[-1]]
    return simplified(points[: far + 1])[:-1] + simplified(points[far:])


def decoded(topology):
    """The arcs as longitudes and latitudes, simplified as drawn: whoever shares a border shares its simplified arc."""
    (kx, ky), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * kx + tx, y * ky + ty))
        arcs.append(kept(points))
    return arcs


def kept(points):
    """The points of an arc that remain when it is drawn; one that leaps over the edge of the map stays as it is."""
    if any(abs(ax - bx) > 180 for (ax, _), (bx, _) in zip(points, points[1:])):
        return points
    drawn = [(*place(*point), *point) for point in points]
    return [(longitude, latitude) for _, _, longitude, latitude in simplified(drawn)]


def parts(ring):
    """A ring as what is drawn of it: one that leaps over the edge of the map is cut there."""
    turn, unrolled = 0, [ring[0]]
    for (ax, _), (bx, by) in zip(ring, ring[1:]):
        turn += -360 if bx - ax > 180 else 360 if bx - ax < -180 else 0
        unrolled.append((bx + turn, by))
    west, east = min(x for x, _ in unrolled), max(x for x, _ in unrolled)
    if -180 <= west and east <= 180:
        return [unrolled]
    edge = 180 if east > 180 else -180
    within = [cut(unrolled, lambda x: x <= edge, edge), cut(unrolled, lambda x: x >= edge, edge)]
    outside = 1 if edge == 180 else 0
    within[outside] = [(x - 2 * edge, y) for x, y in within[outside]]
    return [part for part in within if len(part) > 2]


def cut(ring, is_kept, edge):
    """The part of a closed ring on one side of a meridian (Sutherland and Hodgman)."""
    out = []
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1]):
        if is_kept(ax):
            out.append((ax, ay))
        if is_kept(ax) != is_kept(bx):
            out.append((edge, ay + (by - ay) * (edge - ax) / (bx - ax)))
    return out + out[:1]


def ring_points(ring, arcs):
    points = []
    for index in ring:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        points.extend(arc[1:] if points else arc)
    return points


def area(points):
    pairs = zip(points, points[1:] + points[:1])
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2


def path(points):
    """A closed path of whole steps."""
    whole = [(round(x), round(y)) for x, y in points]
    text, (x, y) = f"M{whole[0][0]} {whole[0][1]}", whole[0]
    for nx, ny in whole[1:-1]:
        if (nx, ny) != (x, y):
            text += f"l{nx - x} {ny - y}"
            x, y = nx, ny
    return text.replace(" -", "-") + "z"


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        topology = json.loads((fetch("world-atlas@2", folder) / "countries-110m.json").read_text())
        listed = (fetch("iso-3166-1@2", folder) / "dist" / "iso-3166.js").read_text()
    codes = dict(re.findall(r"alpha2: '(..)',\s*alpha3: '...',\s*numeric: '(...)'", listed))
    codes = {numeric: alpha for alpha, numeric in codes.items()}
    arcs = decoded(topology)
    shapes = {}
    for geometry in topology["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        code = codes.get(geometry.get("id")) or {"Kosovo": "XK"}.get(name) or f"~{name}"
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        rings = [part for polygon in polygons for ring in polygon for part in parts(ring_points(ring, arcs))]
        rings = [[place(*point) for point in ring] for ring in rings]
        largest = max(map(area, rings))
        drawn = [path(ring) for ring in rings if area(ring) >= AREA_MIN or area(ring) == largest]
        if code != "AQ":
            shapes[code] = "".join(drawn)
    centres = {}
    for line in (ROOT / "geoip" / "countries.txt").read_text().splitlines():
        if not line.startswith("#"):
            code, _, latitude, longitude = line.split()
            centres[code] = [round(part) for part in place(float(longitude), float(latitude))]
    height = math.ceil(place(0, SOUTH)[1])
    world = {"width": WIDTH, "height": height, "top": round(TOP, 2), "shapes": dict(sorted(shapes.items())), "centres": centres}
    text = json.dumps(world, separators=(",", ":")).replace('",', '",\n').replace('],', '],\n')
    (HERE / "world.json").write_text(text + "\n")
    print(f"{len(shapes)} outlines, {len(centres)} centres, {len(text)} octets")


main()
