"""dailies: a CSV of prompts and images becomes video clips in S3, and every cent is on record."""

__version__ = "0.2.0"
