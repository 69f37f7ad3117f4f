"""The classifier of a network's candidates: its training samples and its fit."""
