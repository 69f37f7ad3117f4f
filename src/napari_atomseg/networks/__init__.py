"""Networks from image to maps; torch only, and nothing of microscopes but what a model's card says."""
