"""Data sets in few large files: tables of images, and archives of them."""
