"""The analyses of the page "Measure": what each is called, what it gives, and which parameters belong to it."""

from __future__ import annotations

from napari_atomseg.core.columns import ATOM_COUNT, CROSS_SECTION, EXISTENCE, OUTLIER_Q, STRAIN, SUBLATTICE, TEMPLATE
from napari_atomseg.gui.layers.rings import IN_WORDS

TITLES = {
    "sublattices": ("Sublattices", "Grain, sublattice and cell of each column, empty sites, lattice constants with errors."),
    "displacement": ("Displacement", "From the fitted lattice to each column."),
    "strain": ("Strain, rotation", "From the columns of one sublattice around each column, by local least squares."),
    "polarisation": ("Polarisation", "From the centroid of the neighbours on another sublattice to each column."),
    "cells": ("Unit cells", "Sides, angle and their ratio, cell by cell: a table of its own."),
    "templates": ("Local structure", "Which structure the neighbours of each column form: fcc, hcp, bcc, square, graphene."),
    "rings": ("Rings, bonds", f"Polygons and bonds of a sheet of carbon; rings of {IN_WORDS}."),
    "cross-section": ("Cross-sections", "Intensity above the background over each column, with its error."),
    "counts": ("Atoms counted", "Atoms in each column, from the cross-sections, with probabilities."),
    "outliers": ("Outliers", "Columns that scatter otherwise than their like: vacancies, dopants."),
    "existence": ("Existence", "Probability that a column stands at each site, empty ones included."),
}
"""Of each analysis: what the page calls it, and what it gives."""
FIRST_SHOWN = {
    "counts": ATOM_COUNT,
    "outliers": OUTLIER_Q,
    "existence": EXISTENCE,
    "cross-section": CROSS_SECTION,
    "strain": STRAIN[0],
    "sublattices": SUBLATTICE,
    "templates": TEMPLATE,
}
"""What rings show first after an analysis, the first one that was asked for."""
INTENSITY_TICKS = {"cross-section", "counts", "outliers", "existence"}
INTENSITY_FIELDS = ("background", "integration", "radius", "detector", "flux_exponent")
COUNTING_FIELDS = ("library", "steps", "scatter", "components", "least_atoms", "atom_distance", "element", "heights")
