"""The commands and their options, as `dailies --help` shows them, by what they are for. What they do is in the modules above."""
