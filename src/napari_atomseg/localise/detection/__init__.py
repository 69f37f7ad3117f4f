"""Where columns are: by their response to a kernel of their width, in an image or in a map of a network."""
