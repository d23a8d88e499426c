"""The console: the pages of those who run a program."""
