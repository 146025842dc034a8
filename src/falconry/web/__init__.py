"""The door for people: the pages, their live view, and the text they show. Gradio is imported here and nowhere else."""
