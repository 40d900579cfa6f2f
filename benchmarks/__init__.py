"""`python -m benchmarks [names]`: dailies and the usual alternatives side by side, against one sandbox."""
