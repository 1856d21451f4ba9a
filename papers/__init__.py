"""Invoices and credit notes as papers: facts into a bill, a bill into text, HTML and PDF.

The storefront serves papers and the notifier attaches them to letters. The same facts give the same
bytes.
"""
