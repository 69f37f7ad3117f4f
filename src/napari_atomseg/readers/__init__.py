"""Files to micrographs: :func:`napari_atomseg.readers.registry.read` is the one door."""
