"""Find, edit and test the MLP neurons that carry a trait in a language model."""
