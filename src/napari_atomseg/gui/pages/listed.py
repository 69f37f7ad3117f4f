"""Pages of the panel, in the order of work."""

from napari_atomseg.gui.pages.columns.page import ColumnsPage
from napari_atomseg.gui.pages.compare.page import ComparePage
from napari_atomseg.gui.pages.measure.page import MeasurePage
from napari_atomseg.gui.pages.networks.page import NetworksPage
from napari_atomseg.gui.pages.restore.page import RestorePage
from napari_atomseg.gui.pages.series.page import SeriesPage
from napari_atomseg.gui.pages.simulate.page import SimulatePage
from napari_atomseg.gui.pages.train.page import TrainPage

PAGES = (ColumnsPage, NetworksPage, RestorePage, SimulatePage, ComparePage, MeasurePage, SeriesPage, TrainPage)
