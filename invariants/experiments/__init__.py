"""What needs a model, a corpus and several quantities at once."""
