"""The window. The only folder that may import napari, Qt and superqt; it computes nothing itself."""
