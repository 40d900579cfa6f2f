"""The providers: one package each, and the modules beside them that they share. See `base.py` for what a provider is."""
