"""The claims, each as an assertion: a quantity, a band, a null control and a verdict."""
