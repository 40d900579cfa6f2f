"""What talks to Prefect beside the tasks: how errors show, events, limits, blocks, the console, runs of other flows."""
