"""The lattice of columns: its translations, the motif of its cell, its smooth distortion, the sites that are missing."""
