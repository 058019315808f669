"""A trait's prompts in poles: where they come from, which rows belong together, and how they are split."""
