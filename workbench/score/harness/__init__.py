"""lm-evaluation-harness on hooked models."""
