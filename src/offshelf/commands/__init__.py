"""Commands that are not tasks: each module has a `main` that takes the arguments behind its name."""
