"""What Eyas is measured by: questions written apart from its corpus, and the rules that score the answers."""
