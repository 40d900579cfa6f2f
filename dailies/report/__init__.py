"""The credits report: what was made, what it cost, what to do next."""
