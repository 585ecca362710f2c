"""`python -m middleware`: see `middleware.cli.command`."""

import sys

from middleware.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
