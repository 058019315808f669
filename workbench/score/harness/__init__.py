"""Run tasks of lm-evaluation-harness on hooked models."""
