"""The window. The only folder that may import napari, Qt, magicgui and superqt; it computes nothing itself."""
