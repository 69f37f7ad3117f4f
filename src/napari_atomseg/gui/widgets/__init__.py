"""Parts that pages, docks and dialogs are made of."""
