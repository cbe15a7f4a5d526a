"""Tensors in, numbers out: the quantities, free of models, files and pytest."""
