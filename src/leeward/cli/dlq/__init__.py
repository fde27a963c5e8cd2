"""Dead letters, for `leeward dlq`: where they lie, and moving them back."""
