"""Published data sets: files with mirrors and checksums, read into image sets with their official splits."""
