"""Where answers appear, in a notebook and in a terminal."""
