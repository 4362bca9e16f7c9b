"""The Python API: what `import offshelf` offers; each part is imported when it is first used."""
