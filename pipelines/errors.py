"""Errors that are the user's to mend: shown without a traceback."""


class UserError(Exception):
    """The recipe, an argument or an input is wrong; exit code 2."""


class RunError(Exception):
    """The run failed for a reason that is known; exit code 1."""
