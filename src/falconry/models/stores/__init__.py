"""Where models lie on a machine: one module for each program that fetches them. Nothing is opened or changed here."""
