"""The functions behind the API's methods, one file a subject; ``methods.py`` lists them.

Each takes the session and keyword-only parameters (see ``parameters.py``) and answers with JSON
values. A stream is an async context manager around an async iterator of JSON values.
"""
