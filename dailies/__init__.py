"""dailies: a CSV of prompts and images becomes video clips in S3, and every cent is on record."""
