"""Plots as values that know how they are drawn: the same one for a dock of the window, a report and a file."""
