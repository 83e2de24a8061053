"""What can be set: parameters, settings, presets, models, paths and files."""
