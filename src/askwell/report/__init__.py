"""The log as numbers, pages and exports: everything here reads a log and changes none."""
