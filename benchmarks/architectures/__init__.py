"""Every causal architecture that TransformerLens lists, held against plain transformers: which cells are right."""
