"""Training of networks on endless synthetic images."""
