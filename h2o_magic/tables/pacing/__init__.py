"""How many rows are asked at once, how soon, and for how much."""
