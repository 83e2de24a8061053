"""This user's local server: found, or started."""
