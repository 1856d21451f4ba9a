"""What is sold, as it is stored and shown: pictures and descriptions."""
