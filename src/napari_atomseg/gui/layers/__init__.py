"""Layers of napari from the project's values and back; nothing of Qt."""
