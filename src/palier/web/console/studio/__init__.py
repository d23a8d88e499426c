"""The program studio: writing a program, seeing what it would say, cost and change, and publishing it."""
