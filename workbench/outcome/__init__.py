"""What a study measures: each outcome is a value in one file, which asks the model, makes its tables and its claims."""
