"""Speeds as ratios to a floor or a peer within one run; nothing here asserts an absolute time."""
