"""The requirements of the RFCs on a NAT, each a check with real packets: a module for each RFC.

`every` has them all; `running` runs them, on the `ground` of a lab and in the `core` alone; `document` writes
docs/rfc-compliance.md. A requirement is added by decorating its check in the module of its RFC, or by saying
there why it has none.
"""
