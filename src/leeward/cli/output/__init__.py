"""What a command writes: for a person or for a program, and the exit code of every end."""
