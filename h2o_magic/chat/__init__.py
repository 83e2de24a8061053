"""The values of a conversation: messages, turns, events and facts."""
