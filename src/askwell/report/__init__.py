"""The log as numbers, pages and exports, and the progress of a run: everything here reads, and changes no log."""
