"""`python -m nfmasq.helpers NAME`: the contract test of one helper, by hand."""

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint

from nfmasq.helpers import registry
from nfmasq.helpers.kit import trial
from nfmasq.helpers.kit.base import Helper


def load(name: str) -> Helper:
    """A helper by its name, or by "module:Class". Raises registry.Unusable, with the reason."""
    if ":" not in name:
        helper: Helper = registry.kind(name)()
        return helper
    try:
        helper = EntryPoint(name, name, registry.GROUP).load()()
    except Exception as error:  # another package's module may raise anything
        raise registry.Unusable(f"cannot be loaded: {type(error).__name__}: {error}") from None
    return helper


def main(arguments: Sequence[str]) -> int:
    """Try one helper, and print a line for each clause.

    Returns 0: it keeps the contract. 1: it breaks a clause. 2: there is no such helper.
    """
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m nfmasq.helpers NAME | MODULE:CLASS", file=sys.stderr)
        return 2
    try:
        helper = load(arguments[0])
    except registry.Unusable as why:
        print(f"{arguments[0]}: {why}", file=sys.stderr)
        return 2
    if not any(True for _ in trial.examples(helper)):
        print("note    it carries no examples: only random bytes are tried")
    failed = False
    for clause in trial.CLAUSES:
        try:
            clause(helper)
        except trial.Broken as why:
            failed = True
            print(f"broken  {trial.name_of(clause)}: {why}")
        else:
            print(f"ok      {trial.name_of(clause)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
