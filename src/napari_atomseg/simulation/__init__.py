"""Images of structures: parameters, the engine behind every method, the polynomial correction and the pairs it is fitted to."""
