"""Counts as people read them."""

from __future__ import annotations


def how_many(count: int, noun: str) -> str:
    """`1 clip`, `3 clips`; the noun is one whose plural takes an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
