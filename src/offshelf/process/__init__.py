"""The process and its surroundings: cores, environment variables, signals."""
