"""Tables of many packages as facts about them, and these as text of any length."""
