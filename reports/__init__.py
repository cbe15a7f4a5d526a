"""Results in, pages and gates out. Knows no model and never imports torch."""
