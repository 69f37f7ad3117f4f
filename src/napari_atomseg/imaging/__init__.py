"""Structure to noiseless image."""
