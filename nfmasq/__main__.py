"""`python -m nfmasq` is the command `nfmasq`."""

from nfmasq.cli import main

if __name__ == "__main__":
    main(prog_name="nfmasq")
