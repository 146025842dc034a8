"""Who may come in: people, their passwords, sessions and keys, and how much each may ask for."""
