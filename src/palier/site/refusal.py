"""What the platform answers when it will not go on: one sentence, with its remedy."""


class Refused(Exception):
    """The platform refuses to do what was asked; the text says why and what to do instead.

    The command line prints the text alone and exits with 2. A defect is never reported this way.
    """
