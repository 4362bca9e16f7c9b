"""Images in buckets and on web sites: where they are, what an earlier run saw of them, and copies of their bytes."""
