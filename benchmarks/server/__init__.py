"""The local server measured: its own cost beside the engine's, and many streams."""
