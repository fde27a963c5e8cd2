"""PostgreSQL for leeward: tables in the user's own database."""
