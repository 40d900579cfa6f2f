"""Pure decisions: plain data in, plain data out. No clock, network, database or engine is imported here."""
