"""A simulated image held against an experimental one: registered, intensities matched, subtracted, column by column."""
