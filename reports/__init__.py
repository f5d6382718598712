"""What reports show: measures -> figures, pages, command line."""

import lazy_loader as lazy

# The names lie in the stub beside this file, and each is imported on first use.
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
