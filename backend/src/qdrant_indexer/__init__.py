"""Reads a Docusaurus site and keeps the index of its passages true."""
