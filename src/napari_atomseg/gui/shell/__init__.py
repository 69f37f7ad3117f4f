"""What stands around the pages: the panel, its head, menu and foot, and what follows the viewer."""
