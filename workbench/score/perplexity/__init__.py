"""How likely a model finds neutral text, and what it answered before it was edited."""
