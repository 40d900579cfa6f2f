"""`python -m dailies.cli`."""

import sys

from dailies.cli.app import main

sys.exit(main())
