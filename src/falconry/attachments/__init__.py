"""Files as text: what a model can read of a PDF, an office document or a text of any encoding.

A file of a stranger's making is read in a child process (`child`), which imports nothing of Falconry but this package's
`extract`, `encodings`, `office` and `pdf`; `extractor` starts it and says what went wrong.
"""
