"""The tasks: what a command line runs. Each is a function of the components that its config names."""
