"""The dock "Time line": whether a column stands at the selected sites, frame by frame."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import pandas as pd

from napari_atomseg.gui.docks.frame_plot_dock import FramePlotDock
from napari_atomseg.gui.layers.sites import chosen_sites, sequence_of, sites_layer
from napari_atomseg.plots.site_timeline import COLOURS, SiteTimeline
from napari_atomseg.workflows import time_line

if TYPE_CHECKING:
    from napari.layers import Points

    from napari_atomseg.gui.contract import Host

EMPTY = "Follow the sites of a series (page Series), then click a site on the image."


class SiteTimelineDock(FramePlotDock):
    """Presence at the sites that are selected on the image; a click goes to the frame.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Time line"
    tip = "Whether a column stands at the selected sites, frame by frame; a click goes to the frame."

    def __init__(self, host: Host) -> None:
        super().__init__(host, "timeline", "Presence of columns at the selected sites", EMPTY)
        self._watched: weakref.ref[Points] | None = None
        self.refresh()

    def draw(self) -> None:
        """The selected sites of the chosen stack."""
        layer = sites_layer(self._host.viewer, self.stack)
        found = sequence_of(layer)
        self._watch(layer)
        if layer is None or found is None:
            self.show_plot(None, None)
            return
        sites = chosen_sites(layer).dropna().to_numpy(int)[: len(COLOURS)]
        if not len(sites):
            self.show_plot(None, None)
            return
        lines = [time_line(found, int(site)) for site in sites]
        table: pd.DataFrame = pd.concat(lines, keys=sites.tolist(), names=["site", "row"]).reset_index("site")
        self.show_plot(SiteTimeline(table, found.events[found.events["site"].isin(sites)], self.frame), table)

    def read(self) -> None:
        """Occupancy of the selected site."""
        layer = sites_layer(self._host.viewer, self.stack)
        rows = sorted(layer.selected_data)[: len(COLOURS)] if layer is not None else []
        said = ""
        if layer is not None and len(rows) == 1:
            row = layer.features.iloc[rows[0]]
            said = (
                f"Site {int(row['site'])}: occupancy {row['occupancy']:.2f} ± {row['occupancy_std']:.2f}, "
                f"{row['appearances']:.1f} appearances, {row['disappearances']:.1f} disappearances, {int(row['hops'])} hops."
            )
        elif layer is not None and len(layer.selected_data) > len(COLOURS):
            said = f"{len(layer.selected_data)} sites are selected; the first {len(COLOURS)} are shown."
        self.reading.setText(said)

    def _watch(self, layer: Points | None) -> None:
        before = self._watched() if self._watched is not None else None
        if before is layer:
            return
        if before is not None:
            before.selected_data.events.items_changed.disconnect(self.refresh, missing_ok=True)
        self._watched = weakref.ref(layer) if layer is not None else None
        if layer is not None:
            layer.selected_data.events.items_changed.connect(self.refresh)

    def refresh(self, *_: Any) -> None:
        """Show what is selected now."""
        super().refresh()
