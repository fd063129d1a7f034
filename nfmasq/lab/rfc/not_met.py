"""What a check raises when nfmasq does not do what the requirement asks."""


class NotMet(Exception):
    """nfmasq did not do what the requirement asks; the text says what it did."""


def demand(condition: object, otherwise: str) -> None:
    """Raise NotMet with what was seen, unless the condition holds."""
    if not condition:
        raise NotMet(otherwise)
