"""Answers that are kept in a folder, and given again without asking anybody."""
