"""How Eyas, the model built into Falconry, is made: corpus, tokenizer, training, export, check."""
