"""What people type: the extension, the magics, their commands and completion."""
