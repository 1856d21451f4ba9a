"""Every text that people read, in every language.

The English text stands in the code or in a template, where it is used. ``locale/<language>`` holds
its translations, one file a language, in the format of gettext. ``make texts`` brings these files
up to date with the code. A value stands in a text as ``{name}``.
"""
