"""The console's answers: figures that each answer one question, and what of a program is in force."""
