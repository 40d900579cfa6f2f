"""`python -m dailies.sender SOCKET`: the sender's own process, started by a flow."""

import sys

from dailies.memory import loading

with loading():
    from dailies.sender.process import main

main(sys.argv[1])
