"""Convolution images brought towards multislice accuracy by a polynomial of the pixels around each pixel.

Combs et al., Adv. Struct. Chem. Imaging 5 (2019) 2. :class:`~napari_atomseg.imaging.correction.correction.Correction` is
what a fit gives and what is applied; nothing that it needs loads scikit-learn.
"""
