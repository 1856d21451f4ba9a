"""payment_service: moves the difference between what is owed and what was paid, never twice."""
