"""Modulators of hidden states: geometric embeddings mixed in, fields of simplices that scale."""
