"""First-person statements of a trait's two poles, and how likely a model finds each as its own answer."""
