"""Forgets clips on request: what people wrote and what was made of it goes, what it cost stays."""
