"""What networks can be asked for."""

TASKS = ("columns", "mask", "denoise", "background", "deblur")
"""Maps of an image: Gaussians on the columns, discs on the columns, the image without noise, also without background, and with
the columns made narrow; in the order of the networks' channels."""
NORMALISED, SEGMENTS = "normalised", "segments"
"""Of networks that recognise structures, beside the probabilities of their classes: the image as the network sees it, and the
segments in which one structure each was looked for, numbered from 1."""
