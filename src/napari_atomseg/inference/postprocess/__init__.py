"""Maps made better by what the whole image knows: scan rows put back, places that look alike averaged."""
