"""Values to files: every writer leaves either the whole file or none."""
