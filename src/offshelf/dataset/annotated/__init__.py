"""Data sets of annotated objects: each box is an image of its own."""
