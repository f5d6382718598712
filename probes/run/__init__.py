"""Suites of probes, and the runner."""
