"""The page "Measure": lattice, strain and polarisation written into the table as one step of undo, shown and saved."""

A, PX, SIDE = 3.9, 0.2, 240
