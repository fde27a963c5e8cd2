"""What every engine of workflows must do: published cases, and programs that play engines."""
