"""The replay: from the blocks of an index to a verdict. Begin with ``replay``."""
