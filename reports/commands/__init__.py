"""The command line: every command is one call of the library; what it needs is imported inside it."""
