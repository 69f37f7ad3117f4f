"""What lies under the beam: structures and projected columns."""
