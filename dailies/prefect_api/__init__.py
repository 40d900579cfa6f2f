"""The Prefect API that commands and runs talk to: the one that is configured, or a local server of our own."""
