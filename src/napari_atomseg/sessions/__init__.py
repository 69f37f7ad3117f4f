"""Work on columns as documents, without a window: edited with undo, kept safe, saved. The window is one client of it."""
