"""The shapes that services share: messages and topics. Never behaviour."""
