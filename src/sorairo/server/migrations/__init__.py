"""How the library's tables came to be, one step after the other. Run by Alembic only."""
