"""The page "Compare": a simulated image on a recorded one."""
