"""Finding secrets in what would be sent."""
