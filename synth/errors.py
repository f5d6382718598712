"""The one error that users see: bad input, in one line."""


class InputError(ValueError):
    """Input the library cannot use; the message names the thing, its value and what is allowed.

    The command line prints it as one line and exits with code 2.
    """
