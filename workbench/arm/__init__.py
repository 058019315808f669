"""What a study compares: the edit under test, its rivals, its controls and prompts, each one value in one registry."""
