"""The words of a conversation: messages, turns, events and facts."""
