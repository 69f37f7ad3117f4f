"""The area of each column, and its intensity-weighted centre: watershed around the accepted maxima."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RADIUS_IN_SIGMA = 1.6


@dataclass(frozen=True, kw_only=True, eq=False)
class Regions:
    """What the watershed says of each marker.

    Attributes
    ----------
    centre : ndarray, shape (N, 2), px, (y, x)
        Centre of gravity of the response above its surroundings.
    area : ndarray of int, shape (N,)
        Pixels of the column above half of its height.
    """

    centre: np.ndarray
    area: np.ndarray


def measure_regions(response: np.ndarray, markers: np.ndarray, sigma: float) -> Regions:
    """Split the response into one region for each marker, touching columns included, and find their centres.

    Parameters
    ----------
    response : ndarray, shape (Y, X)
        Band-passed image.
    markers : ndarray of int, shape (N, 2), (y, x)
        Pixels of the accepted maxima.
    sigma : float
        Width of the columns, px; nothing farther than 1.6 sigma from a marker counts for its centre.

    Returns
    -------
    Regions
        In the order of the markers.
    """
    from skimage.segmentation import watershed

    count = len(markers)
    if count == 0:
        return Regions(centre=np.zeros((0, 2)), area=np.zeros(0, int))
    labels = np.zeros(response.shape, np.int32)
    labels[tuple(markers.T)] = np.arange(1, count + 1)
    labels = watershed(-response, labels, mask=response > 0)
    pixel = np.argwhere(labels > 0)
    owner = labels[tuple(pixel.T)] - 1
    height = response[tuple(markers.T)]
    distance = np.hypot(*(pixel - markers[owner]).T)
    share = response[tuple(pixel.T)] / height[owner]
    near = (distance <= RADIUS_IN_SIGMA * sigma) & (share > 0.25)
    pixel, owner, share = pixel[near], owner[near], share[near]
    weight = share - 0.25
    total = np.bincount(owner, weight, count)
    centre = np.stack([np.bincount(owner, weight * pixel[:, axis], count) / total for axis in (0, 1)], axis=1)
    area = np.bincount(owner[share > 0.5], minlength=count)
    return Regions(centre=centre, area=area)
