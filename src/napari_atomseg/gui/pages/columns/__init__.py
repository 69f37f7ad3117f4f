"""The page "Columns": find, correct, refine and save."""
