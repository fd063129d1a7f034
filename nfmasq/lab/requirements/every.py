"""Every requirement of every RFC, in order."""

from nfmasq.lab.requirements import rfc4787, rfc5382, rfc5508
from nfmasq.lab.requirements.requirement import Requirement

RFCS = (rfc4787.RFC, rfc5382.RFC, rfc5508.RFC)
EVERY: tuple[Requirement, ...] = tuple(requirement for rfc in RFCS for requirement in rfc)
