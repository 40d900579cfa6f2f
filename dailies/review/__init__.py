"""The screening room: verdicts by sheet, and a page on loopback to look at clips and decide."""
