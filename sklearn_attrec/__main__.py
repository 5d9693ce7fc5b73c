"""Run the command line: `python -m sklearn_attrec`."""

import sys

from sklearn_attrec.cli import main

if __name__ == "__main__":
    sys.exit(main())
