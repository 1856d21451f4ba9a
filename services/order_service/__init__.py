"""order_service: from orders to the table of purchasers, and the close of a group."""
