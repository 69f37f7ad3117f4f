"""Lenses and detectors: what the microscope does to a wave, batched in torch."""
