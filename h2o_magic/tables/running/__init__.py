"""The loop of a run: rows are asked, and what comes of each is kept."""
