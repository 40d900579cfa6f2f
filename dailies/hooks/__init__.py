"""A small server for what asks or calls us: probes, Prometheus, and providers that tell of an answer by themselves."""
