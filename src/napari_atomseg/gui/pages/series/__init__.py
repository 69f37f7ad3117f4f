"""The page "Series": frames aligned and averaged, sites over time, films."""
