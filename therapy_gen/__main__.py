"""`python -m therapy_gen`: the command line."""

import sys

from therapy_gen.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
