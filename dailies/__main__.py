"""`python -m dailies`."""

import sys

from dailies.cli.app import main

sys.exit(main())
