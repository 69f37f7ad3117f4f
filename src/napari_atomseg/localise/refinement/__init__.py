"""The fit of columns to the image: positions, heights and widths with their uncertainties."""
