"""What others read of the messages and topics: generators, and checks that a change is safe."""
