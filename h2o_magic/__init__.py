"""Chat with a language model in notebook cells."""
