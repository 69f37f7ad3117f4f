"""Registration: where one image of a place lies on another."""
