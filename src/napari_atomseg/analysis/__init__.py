"""Measurements on images and columns; knows neither files nor networks."""
