"""Counter auctions made from seeds, what they must come to, and the rules run over them."""
