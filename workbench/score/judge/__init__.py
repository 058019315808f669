"""Open answers rated by judges: rubrics, endpoints and local models, every rating kept."""
