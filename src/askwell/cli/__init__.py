"""The command line: one module per command or command group, imported when its command is called."""
