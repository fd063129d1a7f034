"""Every requirement of every RFC, in order."""

from nfmasq.lab.rfc import others, rfc4787, rfc5382, rfc5508, rfc6056, rfc6888, rfc7857
from nfmasq.lab.rfc.requirement import Requirement

RFCS = (rfc4787.RFC, rfc5382.RFC, rfc5508.RFC, rfc7857.RFC, rfc6888.RFC, rfc6056.RFC, *others.OTHERS)
EVERY: tuple[Requirement, ...] = tuple(requirement for rfc in RFCS for requirement in rfc)
