"""The loops that learn: one file an engine, and the runner that cuts them into chunks."""
