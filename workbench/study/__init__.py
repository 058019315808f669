"""Arms, doses, traits and outcomes in one folder: run, resumed, compared, and summed up in findings."""
