"""The embedded model: a small chat model with real, trained personality traits, and all that made it.

The words are in `lexicon`, the sentences in `grammar`, their scorer in `scorer`, the capability tasks in
`tasks`, the training conversations in `corpus`; `train` makes the weights and `evaluate` measures them.
"""
