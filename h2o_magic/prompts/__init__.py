"""Values of the notebook as text for the model, with secrets kept out."""
