"""Counter auctions: sellers outbid each other for a group of buyers."""
