"""Docks that the menu offers, in its order."""

from napari_atomseg.gui.docks.columns_plot import ColumnsPlotDock
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
from napari_atomseg.gui.docks.lattice import LatticeDock
from napari_atomseg.gui.docks.metadata import MetadataDock

DOCKS = (ColumnsPlotDock, DiffractogramDock, LatticeDock, MetadataDock)
