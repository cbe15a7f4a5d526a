"""WordNet's geometry laid over an encoder, by α and trained (SPEC M1 – M6)."""
