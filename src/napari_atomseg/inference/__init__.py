"""From a micrograph of any size and pixel size to the maps of a network."""
