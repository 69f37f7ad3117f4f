"""What columns do in the course of a stack of frames: sites, occupancy, events."""
