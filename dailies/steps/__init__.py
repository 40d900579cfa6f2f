"""One step in the life of a clip each: decide by `domain`, act through ledger, providers and storage."""
