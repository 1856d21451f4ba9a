"""Invoices and credit notes as papers: facts into a bill, a bill into text, HTML and PDF."""
