"""A study's results as one self-contained HTML page."""
