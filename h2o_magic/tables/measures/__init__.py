"""How good answers are: scores, comparisons, and pictures."""
