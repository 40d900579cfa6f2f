"""`python -m dailies.sender FD`: the sender's own process, started by a flow."""

import sys

from dailies.sender.process import main

main(int(sys.argv[1]))
