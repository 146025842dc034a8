"""What Eyas knows and can do, one module per field; each exports ``TALKS``, its talks with their weights."""
