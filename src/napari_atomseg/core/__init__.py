"""The nouns that every other part of the package speaks of."""
