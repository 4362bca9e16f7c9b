"""Records of runs: what a task writes down of itself, and how a run that is over is found and read."""
