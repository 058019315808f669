"""Concepts from files that others publish: which format a file has, and a reader for each.

| format | gives | lacks |
|---|---|---|
| persona_vectors | personas in pairs, questions, a rubric | neutral personas, statements |
| model_written | statements | personas, questions, a rubric |
| choices (A/B questions) | statements that answer questions of their own | personas, a rubric |
| personalitybench | personas, questions | neutral personas, statements, a rubric |
| trait (TRAIT) | statements that answer questions of their own | personas, a rubric |
| item_key (IPIP, BFI) | statements | personas, questions, a rubric |
"""
