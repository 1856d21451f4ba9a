"""The pages and links that buyers and sellers use."""
