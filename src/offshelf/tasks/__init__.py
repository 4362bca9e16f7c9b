"""The tasks. Each is a function of the components that its config names, and returns a result object."""
