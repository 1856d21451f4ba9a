"""The shapes that services share: messages, topics, ids and money. Never behaviour."""
