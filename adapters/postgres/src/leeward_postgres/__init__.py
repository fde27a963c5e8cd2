"""PostgreSQL for leeward: tables and objects in the user's own database."""
