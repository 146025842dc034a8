"""The cellar: model files on disk. “Model” always means language model."""
