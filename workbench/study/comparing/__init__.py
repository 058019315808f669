"""Arms compared: over doses, against the unedited model, at equal dose, equal shift and equal loss."""
