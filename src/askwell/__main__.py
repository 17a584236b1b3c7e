"""`python -m askwell` is the command line."""

from askwell.cli.main import main

main()
