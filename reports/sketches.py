"""The schema of sketches: of every parameter few numbers, by which two models are set beside
each other."""
