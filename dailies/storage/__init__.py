"""Bringing finished clips home: downloads, and S3."""
