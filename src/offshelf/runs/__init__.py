"""Records of runs: what a task records while it runs, and how a finished run is found and read."""
