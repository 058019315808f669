"""A hooked model with its tokenizer: loading, sites and their widths, rendering of prompts, generation."""
