"""A study's results for readers: a self-contained page, figures and tables for a paper, a terminal summary."""
