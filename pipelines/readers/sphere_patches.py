"""Square patches on the sphere that do not overlap, in gnomonic projection.

Lines of a tangent plane are great circles. The patches of a row have the same latitude, and disjoint intervals of
longitude; the rows have disjoint intervals of latitude.
"""

import math
from dataclasses import dataclass

import numpy as np

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A square of the plane that touches the sphere at its centre."""

    longitude: float
    latitude: float
    """Centre [degrees]."""
    side_deg: float
    """Side, as an angle at the centre [degrees]: the side of the square in the plane is so many radians."""

    def directions(self, pixels: int, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return longitudes and latitudes of pixel centres [radians], shape (stop − start, pixels).

        Latitude grows with the number of the row, and longitude falls with that of the column: the sky as seen from
        inside, north up and east left if row 0 is drawn at the bottom.

        Parameters
        ----------
        pixels
            Pixels per side.
        start, stop
            Range of rows; None: to the last.
        """
        steps = (np.arange(pixels) + 0.5 - pixels / 2) * math.radians(self.side_deg) / pixels
        x, y = -steps[np.newaxis, :], steps[start:stop, np.newaxis]
        longitude, latitude = math.radians(self.longitude), math.radians(self.latitude)
        to_pole = y * math.cos(latitude) + math.sin(latitude)
        to_equator = math.cos(latitude) - y * math.sin(latitude)
        return (
            (longitude + np.arctan2(x, to_equator)) % (2 * math.pi),
            np.arctan2(to_pole + 0 * x, np.hypot(x, to_equator)),
        )


def tile_sphere(side_deg: float) -> list[Patch]:
    """Return patches that cover most of the sphere without overlap, from south to north.

    The first row is centred on the equator. Each further row lies as close to the previous one as the lowest corners of
    its patches allow. A patch on each pole fills the remaining cap if it is large enough.

    Parameters
    ----------
    side_deg
        Side of the patches [degrees], at most 60.
    """
    half = math.radians(side_deg) / 2
    half_height = math.atan(half)
    corner = math.sqrt(1 + 2 * half**2)
    rows, top = [0.0], half_height
    while (sine := math.sin(top) * corner / math.hypot(1, half)) <= 1:
        latitude = half_height + math.asin(sine)  # its lowest corners are at the latitude `top`
        if latitude + half_height > math.pi / 2:
            break
        rows.append(latitude)
        top = latitude + half_height
    centres = [
        (360 * n / count, math.degrees(sign * latitude))
        for latitude in rows
        for sign in ((-1, 1) if latitude else (1,))
        for count in (_patches_in_row(latitude, half),)
        for n in range(count)
    ]
    if math.pi / 2 - math.atan(math.sqrt(2) * half) >= top:
        centres += [(0.0, -90.0), (0.0, 90.0)]
    return [
        Patch(longitude=longitude, latitude=latitude, side_deg=side_deg)
        for longitude, latitude in sorted(centres, key=lambda centre: centre[::-1])
    ]


def _patches_in_row(latitude: float, half: float) -> int:
    """Return how many patches fit side by side: each is widest in longitude at its corners towards the pole."""
    half_width = math.atan2(half, math.cos(latitude) - half * math.sin(latitude))
    return math.floor(math.pi / half_width + _ROUNDING)
