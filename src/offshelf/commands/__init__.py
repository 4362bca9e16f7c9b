"""Commands: `table` lists all of them; each that is not a task has a module of its name, with a `main`."""
