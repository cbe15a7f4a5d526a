"""Tensors in, numbers out: the quantities of the invariant harness, free of models, files and pytest."""
